"""Whether the gradients of a step are still there when the next step adds to them."""

from collections.abc import Sequence

from torch import nn

from layerscope.record.layer_parameter import LayerParameter
from layerscope.record.shards import local_part


class KeptGradients:
    """Follows the gradient of one parameter from a step to the next.

    Nothing is read of it: whoever clears a gradient replaces it, or changes it in place.
    """

    def __init__(self) -> None:
        self._parameter: nn.Parameter | None = None
        self._identity = self._version = 0  # of its gradient, after the step before
        self._kept: bool | None = None

    def remember(self, parameters: Sequence[LayerParameter]) -> None:
        """A step was taken: which gradient will be added to, if nobody clears it."""
        for each in parameters:
            gradient = each.parameter.grad
            if gradient is not None:
                self._parameter, self._identity = each.parameter, id(gradient)
                self._version = local_part(gradient)._version
                return

    def look(self) -> None:
        """A backward pass begins."""
        if self._kept is None and self._parameter is not None:
            kept = self._parameter.grad
            self._kept = kept is not None and local_part(kept)._version == self._version
        self.confirm()

    def confirm(self) -> None:
        """An optimizer comes, after the step's backward passes: are the gradients still the same?

        `autograd.grad` adds to none, and what it gives may be put in their place; a later backward
        pass may come after they were cleared.
        """
        if self._kept and self._parameter is not None:
            kept = self._parameter.grad
            self._kept = kept is not None and id(kept) == self._identity

    def take(self) -> bool | None:
        """Whether they were kept in the step that ends; None where that is not known."""
        kept, self._kept = self._kept, None
        return kept
