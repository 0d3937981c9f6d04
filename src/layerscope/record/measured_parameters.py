"""The parameters of a plan: their gradients, their values, and what a step changes about them."""

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor, nn

from layerscope.record.channel import Channel
from layerscope.record.distributed.shards import counts_here, is_partial_sum, is_sharded, local_part
from layerscope.record.gradient_sums import TOO_MANY, GradientSums
from layerscope.record.parameters.layer_parameter import LayerParameter, values_of
from layerscope.record.parameters.update_sums import UpdateSums
from layerscope.record.parameters.updates import Updates

Of = Callable[[nn.Parameter], bool]
Rows = list[tuple[int, Tensor]]
"""(row, tensor) of what is to be measured."""


class MeasuredParameters:
    """Finds what is to be measured of parameters, and into which row.

    Attributes:
        are_sharded: whether each process has a part of one of them. Then it measures its parts; of
            what several processes have, one measures it.

    Args:
        sums: keeps gradients of which this process has a summand.
        not_measured: is told why a gradient is not measured.
    """

    def __init__(
        self, parameters: Sequence[LayerParameter], sums: GradientSums, not_measured: dict[str, str]
    ) -> None:
        self._parameters = parameters
        self._sums = sums
        self._not_measured = not_measured
        self.are_sharded = any(is_sharded(each.parameter) for each in parameters)
        self._counted = [not self.are_sharded or counts_here(each.parameter) for each in parameters]
        self._here = [
            each for each, counts in zip(parameters, self._counted, strict=True) if counts
        ]
        self._with_gradients = [(x.gradient, x.parameter) for x in self._here if x.gradient >= 0]
        self._updates = Updates([each.parameter for each in parameters])

    def gradients(self, of: Of | None) -> Rows:
        """Gradients as they are now, of these parameters, all if None; of a sparse one the values
        of the rows that it touches.
        """
        if self.are_sharded:
            return list(self._gradients_here(of))
        return [
            (row, values_of(gradient))
            for row, parameter in self._with_gradients
            if (gradient := parameter.grad) is not None and (of is None or of(parameter))
        ]

    def _gradients_here(self, of: Of | None) -> Iterator[tuple[int, Tensor]]:
        """What this process counts of gradients, which may be divided otherwise than parameters."""
        for each, counted in zip(self._parameters, self._counted, strict=True):
            gradient = each.parameter.grad
            if each.gradient < 0 or gradient is None or not (of is None or of(each.parameter)):
                continue
            is_alike = getattr(gradient, "placements", None) == getattr(
                each.parameter, "placements", None
            )
            if not (counted if is_alike else counts_here(gradient)):
                continue
            if is_alike or not is_partial_sum(gradient):
                yield each.gradient, values_of(gradient)
                continue
            channel = Channel(each.channel.quantity.gradient, each.channel.layer)
            if not self._sums.take(channel, gradient):
                self._not_measured[f"{channel.layer}.{channel.quantity}"] = TOO_MANY

    def weights(self) -> Rows:
        """Parameters as they are now."""
        return [(each.value, local_part(each.parameter)) for each in self._here if each.value >= 0]

    def begin_update(self, of: Of) -> None:
        """Copy these parameters before the optimizer's step."""
        of_each = zip(self._parameters, self._counted, strict=True)
        self._updates.begin([counts and of(each.parameter) for each, counts in of_each])

    def end_update(self, of: Of | None = None) -> UpdateSums:
        """See `Updates.end`: of those that were copied, of these, all if None."""
        if of is not None:
            self._updates.leave_out([not of(each.parameter) for each in self._parameters])
        return self._updates.end()

    def changes(self) -> Rows:
        """What the step has changed, where that has rows; after `end_update`."""
        if all(each.update < 0 for each in self._parameters):
            return []
        changes = self._updates.changes().items()
        return [(row, x) for i, x in changes if (row := self._parameters[i].update) >= 0]
