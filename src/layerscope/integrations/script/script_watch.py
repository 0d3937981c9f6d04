"""Watches whatever networks a script trains, by the hooks that torch has for every module."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakSet

import torch
from torch import nn
from torch.amp import GradScaler
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils.hooks import RemovableHandle

from layerscope.integrations.script.live_objects import live_objects
from layerscope.integrations.script.outermost_network import outermost_network
from layerscope.integrations.script.watched_network import WatchedNetwork
from layerscope.record.ownership import given_to, parameters_of
from layerscope.record.shards import class_of
from layerscope.session.settings import Settings

_log = logging.getLogger("layerscope")


class ScriptWatch:
    """Finds the networks that are trained while it is open, and watches each as `watch` would.

    A network is found when one of its modules is called with gradients on, by no other module, and
    an optimizer of torch's has its parameters; its first step is then seen whole. A step ends
    when all of its optimizers have taken theirs. Torch tells of every call of a module until each
    optimizer has a network, which costs a microsecond a call; of none afterwards.

    Args:
        folder: of the only network, or with a folder for each below it.
        named: whether the user has named it; otherwise the next free name is taken.
    """

    def __init__(self, folder: Path, settings: Settings, *, named: bool) -> None:
        self._folder = folder
        self._settings = settings
        self._named = named
        self._networks: list[WatchedNetwork] = []
        self._seen: WeakSet[nn.Module] = WeakSet()  # of a network, or of what no optimizer has
        self._waiting: dict[
            int, tuple[int, int]
        ] = {}  # calls of such: so far, and of the next look
        self._others: WeakSet[Optimizer] = WeakSet()  # of the process, before the script began
        self._call: RemovableHandle | None = None
        self._steps: list[RemovableHandle] = []

    @property
    def networks(self) -> list[WatchedNetwork]:
        """What has been found so far."""
        return list(self._networks)

    def start(self) -> None:
        """Look out; call it before the script begins."""
        self._others = WeakSet(live_objects(Optimizer)[0])
        self._look_out()
        self._listen()

    def close(self, interrupted: bool = False) -> None:
        """End the record of each network, and look out no more.

        Args:
            interrupted: whether an exception has ended the script.
        """
        self._stop()
        for each in self._networks:
            each.close(interrupted)

    def _stop(self) -> None:
        for handle in (self._call, *self._steps):
            if handle is not None:
                handle.remove()
        self._call, self._steps = None, []

    def _look_out(self) -> None:
        if self._call is None:
            self._waiting.clear()
            self._call = register_module_forward_pre_hook(self._before_call)

    def _listen(self) -> None:
        """Hear of steps after each network has: torch runs hooks in the order they came in."""
        for handle in self._steps:
            handle.remove()
        self._steps = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]

    def _guarded(self, work: Callable[[], None]) -> None:
        """What fails here ends the search, and never the script."""
        try:
            work()
        except Exception as error:
            _log.error("layerscope run: it looks for no more networks: %s", error, exc_info=error)
            self._stop()

    def _before_call(self, module: nn.Module, inputs: Any) -> None:
        if not torch.is_grad_enabled() or torch.compiler.is_compiling():
            return
        calls, look = self._waiting.get(id(module), (0, 0))
        if module in self._seen and not look:
            return
        if look:
            self._waiting[id(module)] = (calls + 1, look)
            if calls + 1 < look:
                return
        self._guarded(lambda: self._find(module, inputs, calls + 1))

    def _find(self, module: nn.Module, inputs: Any, calls: int) -> None:
        self._seen.update(module.modules())
        if not any(each.requires_grad for each in module.parameters()):
            return
        kinds = Optimizer, nn.Module, GradScaler
        optimizers, modules, scalers = live_objects(*kinds)
        if scalers or len(optimizers) > len(self._others) + 1:  # some may be garbage, of a trial
            del optimizers, modules, scalers  # which keep it alive
            gc.collect()
            optimizers, modules, scalers = live_objects(*kinds)
        optimizers = [each for each in optimizers if each not in self._others]
        network = outermost_network(module, optimizers, modules)
        del modules
        if network is None:  # no optimizer yet: look again, less and less often
            self._waiting[id(module)] = (calls, 2 * calls)
            return
        self._waiting.pop(id(module), None)
        self._seen.update(network.modules())
        if any(each.network is network for each in self._networks):
            return  # a module that came into it later
        own = parameters_of(network).keys()
        mine = [each for each in optimizers if given_to(each).keys() & own]
        hooks = set(module._forward_pre_hooks)
        used = [each for each in scalers if each.is_enabled()]
        scaler = used[0] if len(used) == 1 else None
        self._watch(network, module, mine, scaler, alone=len(mine) == len(optimizers))
        _run_new_hooks(module, hooks, inputs)
        if all(self._has_network(each) for each in optimizers) and self._call is not None:
            self._call.remove()
            self._call = None

    def _watch(
        self,
        network: nn.Module,
        called: nn.Module,
        optimizers: list[Optimizer],
        scaler: GradScaler | None,
        *,
        alone: bool,
    ) -> None:
        name = class_of(network).__name__
        before = sum(class_of(each.network).__name__ == name for each in self._networks)
        folder = self._folder
        if not alone or self._networks:
            folder /= name if not before else f"{name}_{before + 1}"
        try:
            found = WatchedNetwork(
                network, called, optimizers, folder, self._settings, scaler, named=self._named
            )
        except ValueError as error:
            print(f"layerscope run: {name} is not watched: {error}", file=sys.stderr)
            return
        print(
            f"layerscope run: {name} is watched; the files land in {found.folder}", file=sys.stderr
        )
        self._networks.append(found)
        self._listen()

    def _has_network(self, optimizer: Optimizer) -> bool:
        return any(each.is_trained_by(optimizer) for each in self._networks)

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self._call is None and not self._has_network(optimizer):
            self._look_out()  # one that was made later

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        for each in self._networks:
            if each.is_trained_by(optimizer):
                each.after_step(optimizer)


def _run_new_hooks(module: nn.Module, before: set[int], inputs: Any) -> None:
    """Run what was hooked to a module in whose call we are: torch has its list of hooks already."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename != nn.modules.module.__file__ and frame.f_back is not None:
        frame = frame.f_back
    keywords = frame.f_locals.get("kwargs")
    for number, hook in list(module._forward_pre_hooks.items()):
        if number not in before:
            if number in module._forward_pre_hooks_with_kwargs:
                hook(module, inputs, keywords if isinstance(keywords, Mapping) else {})
            else:
                hook(module, inputs)
