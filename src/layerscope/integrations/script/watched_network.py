"""One network of a script, with the optimizers that train it."""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from torch import nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from layerscope.diagnose import Finding
from layerscope.integrations.backward_start import BackwardStart
from layerscope.integrations.watcher import Watcher
from layerscope.record.hooks.quiet_hook import PassingHook, QuietHook
from layerscope.record.network.parts import parameters_of
from layerscope.record.parameters.ownership import given_to
from layerscope.session.door import Door
from layerscope.session.settings import Settings

_DOOR = Door(
    "layerscope run", "no optimizer took a step with its parameters", loss_tag="train/loss"
)


class WatchedNetwork:
    """Ends a step of the watch when each of the network's optimizers has taken its own.

    Args:
        called: the module that the script calls: the network, or one within or around it; None
            where its calls are compiled, with its hooks, or scripted. A step that a scaler leaves
            out is then not told apart from the next.
        optimizers: that have some of its parameters.
        scaler: of its gradients, if there is one.
        named: whether the user has named the folder.

    Raises:
        ValueError: it cannot be watched, or the folder is taken.
    """

    def __init__(
        self,
        network: nn.Module,
        called: nn.Module | None,
        optimizers: Iterable[Optimizer],
        folder: Path,
        settings: Settings,
        scaler: GradScaler | None,
        *,
        named: bool,
    ) -> None:
        self.network = network
        self._scaler = scaler
        self._watcher = Watcher(
            network, folder, settings, 0, self._scaler, _DOOR, named=named
        ).start()
        self._optimizers: WeakSet[Optimizer] = WeakSet(optimizers)
        self._is_mine: WeakKeyDictionary[Optimizer, bool] = WeakKeyDictionary()
        self._stepped: set[int] = set()
        self._answered = 0  # backward passes that a step was asked for after; -1: one has come
        self._thread = threading.get_ident()  # which trains
        self._loss = BackwardStart(network, self._watcher.see_loss)
        self._handles: list[RemovableHandle] = []
        if called is None:
            self._handles += self._loss.see_parameters()
        else:
            self._handles += [
                # Before the watcher's: a step ends before a call that is not training pauses it.
                called.register_forward_pre_hook(PassingHook(self._before_call), prepend=True),
                called.register_forward_hook(QuietHook(self._loss.see_output)),
            ]

    @property
    def folder(self) -> Path:
        """Where its files land."""
        return self._watcher.folder

    @property
    def refused(self) -> Finding | None:
        """The worst finding, if it is at least as bad as the setting `fail_on`."""
        return self._watcher.refused

    def is_trained_by(self, optimizer: Optimizer) -> bool:
        """Whether an optimizer has some of its parameters."""
        if optimizer not in self._is_mine:
            own = parameters_of(self.network)  # which may be others than at the start
            self._is_mine[optimizer] = bool(given_to(optimizer).keys() & own.keys())
        return self._is_mine[optimizer]

    def before_step(self, optimizer: Optimizer) -> None:
        """One of its optimizers is about to take a step."""
        if id(optimizer.param_groups) in self._stepped:  # no call of the network has told of it
            self._optimizers = WeakSet(
                each for each in self._optimizers if id(each.param_groups) in self._stepped
            )
            self._end_step()
        self._loss.begin_step()

    def after_step(self, optimizer: Optimizer) -> None:
        """One of its optimizers has taken a step."""
        self._thread = threading.get_ident()
        self._optimizers.add(optimizer)
        # By their groups: Lightning's and Accelerate's wrappers, optimizers too, have the same.
        self._stepped.add(id(optimizer.param_groups))
        if all(id(each.param_groups) in self._stepped for each in self._optimizers):
            self._end_step()

    def close(self, interrupted: bool = False) -> None:
        """End the record; `interrupted` if an exception has ended the script."""
        if self._stepped:
            self._end_step()
        elif self._scaler is not None:
            self._watcher.step()
        self._remove_hooks()
        self._watcher.close(interrupted)

    def _before_call(self, module: nn.Module, inputs: Any) -> None:
        if threading.get_ident() != self._thread:
            return  # nothing that comes after the step: a validation beside training
        if self._stepped:  # an optimizer that takes no step is not waited for
            self._end_step()
        elif self._scaler is not None:  # the step may be one that the scaler has left out
            self._watcher.step()
        elif 0 <= self._answered < self._loss.passes:  # perhaps no optimizer ever takes one
            self._answered = self._loss.passes
            self._watcher.step()

    def _end_step(self) -> None:
        self._stepped.clear()
        self._answered = -1
        self._watcher.note_scaled_loss(self._loss.take())
        self._watcher.step()
        if self._watcher.failure is not None:
            self._remove_hooks()

    def _remove_hooks(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._loss.end()
