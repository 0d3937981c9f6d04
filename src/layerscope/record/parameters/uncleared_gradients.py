"""Gradients that are not cleared: by one of several optimizers, or by a loop that has none."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from layerscope.measure.pending import NO, Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.distributed.shards import local_part
from layerscope.record.parameters.kept_gradients import is_any, state_of
from layerscope.record.parameters.layer_parameter import LayerParameter
from layerscope.record.parameters.ownership import given_to


class _Followed:
    """The gradient of a parameter that one optimizer alone has, from a step's beginning on."""

    def __init__(self, parameter: nn.Parameter, gradient: Tensor) -> None:
        self.parameter = parameter
        self.state = state_of(gradient)
        self.was_any: Pending[Tensor] | None = None
        self.is_cleared = self.is_added_to = False

    def note_any(self) -> None:
        """A backward pass begins, which adds to it."""
        if self.parameter.grad is not None:
            self.was_any = on_host(local_part(self.parameter.grad).any())


class UnclearedGradients:
    """Follows one gradient of each optimizer through a step that is looked at.

    Another network's loss leaves gradients too, and whoever's they are clears them before its own
    backward pass: so what counts is what has happened by the time that the optimizer takes its
    step. It must have taken one in the step before as well, else it gathers gradients on purpose.
    """

    def __init__(self) -> None:
        self._followed: dict[Optimizer, _Followed] = {}
        self._now: set[Optimizer] = set()  # those that have taken a step in this one
        self._found: list[Pending[bool]] | None = None

    def begin(self, optimizers: Collection[Optimizer], looking: bool) -> None:
        """A step begins, before its first forward pass."""
        before, self._now = self._now, set()
        self._followed.clear()
        self._found = None
        if not looking:
            return
        given = {optimizer: given_to(optimizer) for optimizer in optimizers}
        for optimizer in before & given.keys():
            others = set().union(*(its for each, its in given.items() if each is not optimizer))
            for key, parameter in given[optimizer].items():
                if key not in others and parameter.grad is not None and parameter.requires_grad:
                    self._followed[optimizer] = _Followed(parameter, parameter.grad)
                    break

    def look(self) -> None:
        """A backward pass begins."""
        if not self._followed:
            return
        for each in self._followed.values():
            each.is_cleared |= state_of(each.parameter.grad) != each.state
            if not each.is_cleared:  # `.data.zero_()` leaves the state as it was
                each.note_any()
        torch.autograd.Variable._execution_engine.queue_callback(self._passed)

    def _passed(self) -> None:
        for each in self._followed.values():
            state = state_of(each.parameter.grad)
            each.is_added_to |= state != each.state
            each.is_cleared |= _identity_of(state) != _identity_of(each.state)
            each.state = state

    def note_optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer takes its step."""
        self._now.add(optimizer)
        followed = self._followed.pop(optimizer, None)
        if followed is not None:
            is_kept = followed.is_added_to and not followed.is_cleared
            kept = followed.was_any.then(bool) if is_kept and followed.was_any else NO
            self._found = [*(self._found or ()), kept]

    def take(self) -> Pending[bool] | None:
        """Whether one of them took its step with gradients of the step before; None if there are
        not several, or none was followed.
        """
        found, self._found = self._found, None
        return None if found is None else Pending(lambda: any(each.get() for each in found))


def _identity_of(state: tuple[int, int] | None) -> int | None:
    return None if state is None else state[0]


_FEW = 64
"""Elements of a weight: one step of gradient descent moves some of them."""


class GradientsByHand:
    """Follows the gradient of one parameter from a step to the next.

    Where the weights stayed as they were, gradients of several steps are gathered on purpose.
    """

    def __init__(self) -> None:
        self._parameter: nn.Parameter | None = None
        self._state: tuple[int, int] | None = None  # of its gradient, after the step before
        self._weights: tuple[Tensor | None, Tensor | None] = (None, None)  # after the last steps
        self._kept: bool | None = None

    def remember(self, parameters: Sequence[LayerParameter]) -> None:
        """A step is over, and no optimizer came."""
        has_gradient = (each.parameter for each in parameters if each.parameter.grad is not None)
        parameter = next(has_gradient, None)
        before = self._weights[1] if parameter is self._parameter else None
        self._parameter = parameter
        self._state = None if parameter is None else state_of(parameter.grad)
        now = None if parameter is None else local_part(parameter).detach().flatten()[:_FEW].clone()
        self._weights = before, now

    def look(self) -> None:
        """A gradient comes to an output."""
        before, now = self._weights
        if self._kept is not None or self._parameter is None or before is None or now is None:
            return
        gradient = self._parameter.grad
        is_kept = state_of(gradient) == self._state and not torch.equal(before, now)
        self._kept = is_kept and is_any(gradient)  # `.data.zero_()` leaves the state as it was

    def take(self) -> bool | None:
        """Whether it was still there when backward began; None if it is not known."""
        kept, self._kept = self._kept, None
        return kept
