"""Outputs that were not planned for, such as the second tensor of a layer's tuple."""

import math
from collections.abc import Iterable, Mapping, Sequence

from layerscope.measure import Tally
from layerscope.measure.device_tally import DeviceTally, tally_for
from layerscope.measure.row_options import RowOptions
from layerscope.measure.unit_blocks import UnitBlocks
from layerscope.quantity import Quantity
from layerscope.record.channel import Channel
from layerscope.record.hook_state import HookState
from layerscope.record.layer_output import LayerOutput
from layerscope.record.network.layers import Layer
from layerscope.record.parted_output import output_of
from layerscope.record.plan import Plan, device_of, units_of
from layerscope.record.recorder_options import RecorderOptions

_ACTIVATION, _GRADIENT = range(2)  # rows of a newcomer's own tally


class Newcomers:
    """Measures each unexpected output in a tally of its own, until the step is observed.

    Attributes:
        waiting: those that have no row in the plan yet.
    """

    def __init__(self, layers: Sequence[Layer], options: RecorderOptions, state: HookState) -> None:
        self._layers = layers
        self._options = options
        self._state = state
        self.waiting: list[LayerOutput] = []

    def follow(self, layers: Sequence[Layer]) -> None:
        """Meet outputs of these layers, which stand in the places of those before."""
        self._layers = layers

    def meet(self, layer: Layer, name: str) -> LayerOutput:
        """An output of this name, which from now on is measured apart."""
        output = output_of(layer, name, self._state)
        intervals = [(-math.inf, math.inf)] * 2
        if (kind := layer.nonlinearity) is not None:
            intervals[_ACTIVATION] = kind.saturated_beyond(self._options.saturation_threshold)
        output.tally = tally_for(device_of(self._layers), RowOptions(2, intervals))
        output.activation = _ACTIVATION if self._wants(Quantity.ACTIVATION) else -1
        output.gradient = _GRADIENT if self._wants(Quantity.ACTIVATION_GRAD) else -1
        if output.activation >= 0:
            output.units = units_of((output,), device_of(self._layers), self._options)
            output.unit_row = 0
        self.waiting.append(output)
        return output

    def meet_all(
        self, found: Iterable[tuple[str, str, int]], known: Iterable[LayerOutput]
    ) -> list[tuple[int, LayerOutput]]:
        """Meet what other ranks have found and this one has not.

        Args:
            found: (layer, output, order).
            known: outputs that have rows.

        Returns:
            (the layer's position, the output) of each that is new.
        """
        names = {output.name for output in (*known, *self.waiting)}
        at = {layer.name: position for position, layer in enumerate(self._layers)}
        new = []
        for layer, name, order in found:
            if name not in names:
                output = self.meet(self._layers[at[layer]], name)
                output.order = order
                names.add(name)
                new.append((at[layer], output))
        return new

    def _wants(self, quantity: Quantity) -> bool:
        return quantity in self._options.quantities

    def leave(self) -> list[tuple[Channel, Tally | DeviceTally, int]]:
        """They wait no more; (channel, tally, row) of all that they have measured."""
        waiting, self.waiting = self.waiting, []
        return [
            (Channel(quantity, output.name), output.tally, row)
            for output in waiting
            for quantity, row in (
                (Quantity.ACTIVATION, output.activation),
                (Quantity.ACTIVATION_GRAD, output.gradient),
            )
            if row >= 0 and output.tally is not None
        ]


def absorb(
    after: Plan, before: Plan, measured: Iterable[tuple[Channel, Tally | DeviceTally, int]]
) -> None:
    """Put into a new plan's rows what an old one's hold, and what newcomers have measured."""
    rows = {channel: row for row, channel in enumerate(after.channels)}
    old = [(channel, before.tally, row) for row, channel in enumerate(before.channels)]
    for channel, tally, row in (*old, *measured):
        if channel in rows:
            after.tally.merge_row(rows[channel], tally, row)  # type: ignore[arg-type]
    after.tally.merge_carried(before.tally)  # type: ignore[arg-type]


def rows_of_units(outputs: Iterable[LayerOutput]) -> dict[str, tuple[UnitBlocks, int]]:
    """Where the units of outputs are watched, before a new plan gives them other rows."""
    return {
        each.name: (each.units.blocks, each.unit_row) for each in outputs if each.units is not None
    }


def absorb_units(
    after: Plan, before: Plan, of_outputs: Mapping[str, tuple[UnitBlocks, int]]
) -> None:
    """Put into a new plan's rows of units what an old one's hold, and newcomers'.

    Args:
        of_outputs: what `rows_of_units` told of before.
    """
    for output in after.outputs:
        if output.units is not None and output.name in of_outputs:
            output.units.blocks.take_row(output.unit_row, *of_outputs[output.name])
    if after.units_here is not after.units:
        rows = {output.name: row for row, output in enumerate(before.outputs)}
        for row, output in enumerate(after.outputs):
            if output.name in rows:
                after.units.blocks.take_row(row, before.units.blocks, rows[output.name])


def in_network_order(
    layers: Sequence[Layer], outputs: Sequence[LayerOutput]
) -> tuple[list[LayerOutput], list[tuple[int, LayerOutput]]]:
    """Outputs by layer, and of a layer as forward passes reached them.

    Returns:
        Those that stay; and (the layer's position, the output) of each that goes: the bare tensor
        that was expected of a layer which gives other tensors.
    """
    at = {layer.name: position for position, layer in enumerate(layers)}
    reached = {output.layer.name for output in outputs if output.order >= 0}
    stay: list[LayerOutput] = []
    go: list[tuple[int, LayerOutput]] = []
    for output in outputs:
        if output.order >= 0 or output.layer.name not in reached:
            stay.append(output)
        else:
            go.append((at[output.layer.name], output))
    return sorted(stay, key=lambda output: (at[output.layer.name], output.order)), go
