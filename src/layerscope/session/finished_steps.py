"""A session that is told of each step once, when it is over."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from layerscope.diagnose import Finding
from layerscope.diagnose.rules.construction import validated_in_training
from layerscope.quantity import Quantity
from layerscope.record.hook_state import HookState
from layerscope.record.hooks.handles import remove_all
from layerscope.record.hooks.quiet_hook import PassingHook
from layerscope.record.observation import SCALE
from layerscope.session.session import Session

_APART, _IN_A_ROW = 8, 2
"""Passes of training before those without gradients, and how many of these follow each other: a
generator makes some for each step of its critic, an agent acts, and a picture now and then is one.
"""


class TrainingPasses:
    """Measures nothing in a thread while it calls the network without gradients: a validation whose
    loop forgot `eval()`, or the steps of an agent in its world.

    What is called without gradients inside a pass with them, such as a frozen backbone, is part of
    training, and so is what reentrant checkpointing calls. It costs 1 us a pass. A network that is
    compiled or scripted is not told apart, nor one whose parts are called without it.

    Attributes:
        validations: how often several passes in a row were without gradients, and in training mode,
            some passes of training after the last ones; none in evaluation mode came next, as where
            statistics are taken anew before a validation.
    """

    def __init__(self, network: nn.Module, state: HookState) -> None:
        self._state = state
        self.validations = self._trained = self._in_a_row = 0
        self._is_due = False
        self._handles: list[RemovableHandle] = []
        is_called_as_it_is = not (
            isinstance(network, torch.jit.ScriptModule)
            or hasattr(network, "_orig_mod")
            or network._compiled_call_impl is not None
        )
        if is_called_as_it_is:
            self._handles = [
                network.register_forward_pre_hook(PassingHook(self.before)),
                network.register_forward_hook(PassingHook(self.after), always_call=True),
            ]

    def remove(self) -> None:
        """Take the hooks off."""
        remove_all(self._handles)

    def before(self, network: nn.Module, *told: Any) -> None:
        """A call of the network begins."""
        # Also while nothing is counted: another thread may begin a step meanwhile.
        depth = self._state.depth_aside()
        if depth or _is_without_gradients():
            self._state.call_aside(1)
            if not depth and not torch.compiler.is_compiling():
                self._note_aside(network.training)
        elif network.training and not torch.compiler.is_compiling():  # a number would be a guard
            self._trained += 1

    def _note_aside(self, in_training: bool) -> None:
        if self._trained:
            self._is_due = self._trained >= _APART
            self._trained = self._in_a_row = 0
        if not self._is_due:
            return
        was_told = self._in_a_row >= _IN_A_ROW
        self._in_a_row = self._in_a_row + 1 if in_training else 0
        self.validations += (self._in_a_row >= _IN_A_ROW) - was_told

    def after(self, *told: Any) -> None:
        """A call of the network ends, whatever happened in it."""
        if self._state.depth_aside():
            self._state.call_aside(-1)


def _is_without_gradients() -> bool:
    # An autograd function's own forward, as of reentrant checkpointing, has forward-mode gradients
    # off as well; torch.no_grad leaves them on.
    return not torch.is_grad_enabled() and (
        torch.is_inference_mode_enabled() or torch._C._is_fwd_grad_enabled()
    )


_SEVERAL = 2
"""Validations: statistics may be taken anew once, when training is over."""

_GRADIENTS = frozenset({Quantity.ACTIVATION_GRAD})


class FinishedSteps(Session):
    """Watches a loop that only says when a step is over.

    In the order of a training step: `begin`, `measure_weights` if the step is counted, forward and
    backward, `measure_gradients` where an optimizer comes to its parameters, `note_loss`, `finish`.
    The arguments are those of `Session`.
    """

    _passes: TrainingPasses | None = None
    _validations = 0  # in training mode

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        if self._passes is None:
            self._passes = TrainingPasses(self._network, self._recorder.state)
        super().attach()

    def detach(self) -> None:
        """Take the hooks off: what runs now is not what the optimizer learns from."""
        super().detach()  # first: it puts hooks back that stand aside
        if self._passes is not None:
            self._passes.remove()
            self._validations += self._passes.validations
            self._passes = None

    def _found_at_the_end(self) -> list[Finding | None]:
        validations = self._validations + (self._passes.validations if self._passes else 0)
        by_mode = self._surroundings.modes.by_mode if validations >= _SEVERAL else ""
        told = validated_in_training(by_mode, validations, self.step) if by_mode else None
        return [*super()._found_at_the_end(), told]

    @property
    def is_updating(self) -> bool:
        """Whether the step that goes on is measured, and what it changes."""
        return self._recorder.state.counting and self._updating

    def copy_weights(self, may_change: Callable[[nn.Parameter], bool]) -> None:
        """Take the copies of `measure_weights` anew: something has changed the weights since."""
        if self.is_updating:
            self._recorder.begin_update(may_change)

    def measure_gradients(self, of: Callable[[nn.Parameter], bool] | None) -> None:
        """Measure gradients now, of these parameters, all if None."""
        if self._recorder.state.counting:
            self._recorder.measure_gradients(of)
            self._surroundings.note_gradients(self._recorder.plan.parameters)

    def arrive(self, optimizer: Optimizer) -> None:
        """An optimizer is about to take its step, which moves parameters of this network."""
        self._surroundings.arrive(optimizer)

    def note_step(self) -> None:
        """An optimizer of this network has taken its step."""
        self._surroundings.note_step()

    def finish(
        self,
        step: int,
        changed: Callable[[nn.Parameter], bool],
        scale: Tensor | None = None,
        left_out: bool = False,
    ) -> None:
        """Record a step; raises what a hook ran into.

        Args:
            changed: which parameters had a gradient: the update of these is told of.
            scale: the factor of a gradient scaler, which activation gradients have.
            left_out: whether that scaler has left the step out.
        """
        self._raise_failure()
        recorder = self._recorder
        self._surroundings.end_update(recorder.plan.parameters)
        if not recorder.state.counting:
            return
        began = time.perf_counter()
        if recorder.state.spent:
            self._stopwatch.add_hooks(recorder.state.take_spent())
        if scale is not None:
            recorder.carry(SCALE, scale)
            recorder.scaled = _GRADIENTS
        if self._updating:
            recorder.end_update(changed)
        self._record(step, left_out=left_out)
        recorder.state.counting = False
        self._stopwatch.add(time.perf_counter() - began)
