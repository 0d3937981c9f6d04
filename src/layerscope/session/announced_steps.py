"""A session that is told of each update, before it and after it."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from layerscope.quantity import Quantity
from layerscope.record.observation import CLIPPED_SQUARED_NORM, FOUND_INF, SCALE, SQUARED_NORM
from layerscope.record.parameters.layer_parameter import values_of
from layerscope.record.parameters.ownership import given_to
from layerscope.session.session import Session

_GRADIENTS = frozenset({Quantity.ACTIVATION_GRAD})
_GRADIENTS_AND_WEIGHTS = frozenset(quantity for quantity in Quantity if quantity.is_gradient)


class AnnouncedSteps(Session):
    """Watches a training that says when an optimizer is about to step and when it has.

    In the order of a training step: `begin`, forward and `note_loss` and backward (for every
    micro-batch), `before_update`, the optimizer's step, `after_update`, `end`. The arguments are
    those of `Session`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pending: int | None = None  # the step whose update is under way
        self._clips = self._scales = False

    def before_update(
        self,
        step: int,
        optimizer: Optimizer,
        *,
        index: int = 0,
        alone: bool = True,
        scale: Tensor | None = None,
        clips: bool = False,
    ) -> None:
        """Measure what the optimizer is about to receive, and the weights it starts from.

        Counting then pauses until `end` or `begin`: of a step that calls its closure several times,
        as LBFGS does, the first evaluation is what is recorded.

        Args:
            index: its number.
            alone: whether it has all parameters; otherwise only its own are measured.
            scale: the factor of a gradient scaler; where the optimizer itself takes it out again,
                the weight gradients still have it.
            clips: whether gradients may be clipped between now and the update.
        """
        recorder = self._recorder
        if not recorder.state.counting:
            return
        began = time.perf_counter()
        self._surroundings.arrive(optimizer)
        own = None if alone else _those_of(optimizer)
        recorder.measure_gradients(own)
        self._surroundings.note_gradients(recorder.plan.parameters)
        self.measure_weights(step, lambda p: p.grad is not None and (own is None or own(p)))
        if scale is not None:
            recorder.carry(SCALE, scale)
            unscales = not getattr(optimizer, "_step_supports_amp_scaling", False)
            recorder.scaled = _GRADIENTS if unscales else _GRADIENTS_AND_WEIGHTS
        if clips:
            recorder.carry(SQUARED_NORM, _squared_norm(optimizer))
        self.note_optimizer(optimizer, index)
        self._clips, self._scales = clips, scale is not None
        recorder.state.counting = False
        self._pending = step
        if recorder.state.spent:
            self._stopwatch.add_hooks(recorder.state.take_spent())
        self._stopwatch.add(time.perf_counter() - began)

    def after_update(self, optimizer: Optimizer) -> None:
        """Measure what the optimizer's step has changed, and record the step."""
        self._surroundings.note_step()
        self._surroundings.end_update(self._recorder.plan.parameters)
        step, self._pending = self._pending, None
        if step is None:
            return
        began = time.perf_counter()
        if (found := getattr(optimizer, "found_inf", None)) is not None:
            self._recorder.carry(FOUND_INF, found)
        if self._clips:
            self._recorder.carry(CLIPPED_SQUARED_NORM, _squared_norm(optimizer))
        if self._updating:
            self._recorder.end_update()
        self._record(step)
        self._stopwatch.add(time.perf_counter() - began)

    def end(self) -> None:
        """A micro-batch ends; a step that no update has followed is recorded as left out.

        Raises what a hook ran into.
        """
        self._raise_failure()
        step, self._pending = self._pending, None
        if step is not None:
            began = time.perf_counter()
            self._record(step, left_out=self._scales)
            self._stopwatch.add(time.perf_counter() - began)
        self._recorder.state.counting = False

    def _unfinished_step(self) -> int | None:
        """The step whose update is under way, or that is being measured."""
        return super()._unfinished_step() if self._pending is None else self._pending


def _those_of(optimizer: Optimizer) -> Callable[[nn.Parameter], bool]:
    its = given_to(optimizer)
    return lambda parameter: id(parameter) in its


def _squared_norm(optimizer: Optimizer) -> Tensor:
    """Of all gradients that an optimizer has on this process; on their device."""
    gradients = [p.grad for g in optimizer.param_groups for p in g["params"] if p.grad is not None]
    dense = [values_of(gradient) for gradient in gradients]
    if not dense:
        return torch.zeros(())
    return torch.stack([n.to(dense[0].device) for n in torch._foreach_norm(dense)]).square().sum()
