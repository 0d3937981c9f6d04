"""Of a loop that has no optimizer: does a backward pass add to the gradients of the step before?"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from layerscope.record.distributed.shards import local_part
from layerscope.record.parameters.kept_gradients import is_any, state_of
from layerscope.record.parameters.layer_parameter import LayerParameter

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
