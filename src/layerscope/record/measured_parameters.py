"""The parameters of a plan: their gradients, their values, and what a step changes about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from layerscope.measure.pending import Pending
from layerscope.record.layer_parameter import LayerParameter, values_of
from layerscope.record.updates import UpdateReading, Updates

Of = Callable[[nn.Parameter], bool]
Rows = list[tuple[int, Tensor]]
"""(row, tensor) of what is to be measured."""


class MeasuredParameters:
    """Finds what is to be measured of parameters, and into which row.

    Args:
        parameters: all that have rows.
    """

    def __init__(self, parameters: Sequence[LayerParameter]) -> None:
        self._parameters = parameters
        self._updates = Updates([each.parameter for each in parameters])

    def gradients(self, of: Of | None) -> Rows:
        """Gradients as they are now, of these parameters, all if None; of a sparse one the values
        of the rows that it touches.
        """
        return [
            (each.gradient, values_of(gradient))
            for each in self._parameters
            if each.gradient >= 0
            and (gradient := each.parameter.grad) is not None
            and (of is None or of(each.parameter))
        ]

    def weights(self) -> Rows:
        """Parameters as they are now."""
        return [(each.value, each.parameter) for each in self._parameters if each.value >= 0]

    def begin_update(self, of: Of) -> None:
        """Copy these parameters before the optimizer's step."""
        self._updates.begin([of(each.parameter) for each in self._parameters])

    def changes(self, of: Of | None) -> Rows:
        """What the step has changed, of those that were copied: of these, all if None."""
        if of is not None:
            self._updates.leave_out([not of(each.parameter) for each in self._parameters])
        changes = zip(self._parameters, self._updates.differences(), strict=True)
        return [(each.update, x) for each, x in changes if each.update >= 0 and x is not None]

    def end_update(self) -> Pending[UpdateReading] | None:
        """See `Updates.end`; after `changes`."""
        return self._updates.end()
