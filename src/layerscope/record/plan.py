"""What is measured of each layer, and into which row of the tally."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from layerscope.measure import Tally
from layerscope.measure.device_held import HeldOnDevice
from layerscope.measure.device_tally import DeviceTally, tally_for
from layerscope.measure.device_units import DeviceUnitTally, units_for
from layerscope.measure.held import HeldTensors
from layerscope.measure.row_options import RowOptions
from layerscope.measure.unit_merge import join, merge_ranks
from layerscope.measure.units import UnitTally
from layerscope.quantity import Quantity
from layerscope.record.channel import Channel
from layerscope.record.layer_output import LayerOutput
from layerscope.record.network.in_sequence import givers
from layerscope.record.network.layers import Layer
from layerscope.record.network.nonlinearities import Nonlinearity
from layerscope.record.not_finite import NotFinite
from layerscope.record.parameters.layer_parameter import LayerParameter, parameters_of
from layerscope.record.parted_output import PartedOutput
from layerscope.record.recorder_options import RecorderOptions


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Rows for the quantities of a network's layers.

    They go quantity by quantity: what differs between ranks first, the weights and their updates
    last: without them, the rows are a prefix of all rows.

    Attributes:
        channels: what each row holds.
        output_rows: how many rows, from the first, measure outputs and their gradients.
        without_weights: how many rows come before the weights.
        channels_without_weights: what those hold.
        outputs: what is measured of the layers' outputs, with their rows.
        parameters: what is measured of the parameters; one under two names is there once.
        units: of each output a row of its units.
        units_here: likewise, of those that this process has; where processes have parts of
            outputs, something else than `units`.
        held: where outputs that are not large, and their gradients, wait to be measured.
    """

    channels: tuple[Channel, ...]
    output_rows: int
    without_weights: int
    channels_without_weights: tuple[Channel, ...]
    outputs: tuple[LayerOutput, ...]
    parameters: tuple[LayerParameter, ...]
    tally: Tally | DeviceTally
    units: UnitTally | DeviceUnitTally
    units_here: UnitTally | DeviceUnitTally
    held: HeldTensors | HeldOnDevice

    @property
    def arrives_later(self) -> bool:
        """Whether a step's readings come from a device, while the host goes on."""
        return isinstance(self.tally, DeviceTally)

    def bare_parameters(self) -> tuple[tuple[str, Tensor], ...]:
        """Name and parameter, of those of layers whose output is not watched: as a module has them
        that is made of others.
        """
        watched = {output.layer.name for output in self.outputs}
        bare = (each for each in self.parameters if each.layer not in watched)
        return tuple((each.channel.layer, each.parameter) for each in bare)

    def take_not_finite(
        self, bare: Mapping[str, int], network: nn.Module | None = None
    ) -> tuple[NotFinite, ...]:
        """Of the outputs that were not finite, what their layers were given; and forget it.

        Args:
            bare: of bare parameters, how many elements were not finite.
            network: says whose outputs layers were given, where what they were given is gone.
        """
        found = [NotFinite(name, math.nan, count) for name, count in bare.items()]
        ill = [output for output in self.outputs if output.not_finite is not None]
        giver_of = givers(network) if network is not None and ill else {}
        measured = [x for x in self.outputs if x.activation >= 0 and not x.layer.function]
        gave = {each.layer.module: True for each in measured}
        gave.update({each.layer.module: False for each in ill if each in measured})
        for output in ill:
            seen, giver = output.not_finite, giver_of.get(output.layer.entry)
            assert seen is not None
            if math.isnan(seen.inputs_finite) and giver in gave:
                seen = replace(seen, inputs_finite=float(gave[giver]))
            found.append(seen)
        for output in ill:  # not before: each was asked about those behind it
            output.not_finite = None
        return tuple(found)

    def merge_units(self, all_reduce: Callable[[Tensor, str], None]) -> None:
        """Make what is known of the units in this step that of all ranks."""
        if self.units_here is self.units:
            merge_ranks(self.units.blocks, all_reduce)
            return
        parts = [
            output.unit_part() if isinstance(output, PartedOutput) else (0, 1)
            for output in self.outputs
        ]
        join(self.units.blocks, self.units_here.blocks, parts, all_reduce)


def plan(
    layers: Sequence[Layer],
    outputs: Sequence[LayerOutput],
    options: RecorderOptions,
    in_parts: bool,
) -> Plan:
    """Give rows to outputs, which then know theirs, and to the layers' parameters.

    Args:
        in_parts: whether processes may have parts of outputs.
    """
    wanted = options.quantities
    rows = _Rows(options.saturation_threshold)
    for output in outputs:
        output.activation = output.gradient = -1
        output.units = None
    if Quantity.ACTIVATION in wanted:
        for output in outputs:
            kind = output.layer.nonlinearity
            output.activation = rows.add(Quantity.ACTIVATION, output.name, kind)
    if Quantity.ACTIVATION_GRAD in wanted:
        for output in outputs:
            output.gradient = rows.add(Quantity.ACTIVATION_GRAD, output.name)
    output_rows = len(rows.channels)
    parameters = list(parameters_of(layers, options.biases))
    none = [-1] * len(parameters)
    gradients, values, updates = none, none, none
    if Quantity.WEIGHT_GRAD in wanted:
        gradients = [rows.add(c.quantity.gradient, c.layer) for _, _, c in parameters]
    without_weights = len(rows.channels)
    if Quantity.WEIGHT in wanted:
        values = [rows.add(c.quantity, c.layer) for _, _, c in parameters]
    if Quantity.UPDATE in wanted:
        updates = [rows.add(c.quantity.update, c.layer) for _, _, c in parameters]
    device = device_of(layers)
    tally, units = rows.tally(device, options.max_elements), units_of(outputs, device, options)
    here = units_of(outputs, device, options) if in_parts else units
    held = held_by(tally, here)
    for unit_row, output in enumerate(outputs):
        output.tally, output.held, output.unit_row = tally, held, unit_row
        output.units = here if Quantity.ACTIVATION in wanted else None
    return Plan(
        tuple(rows.channels),
        output_rows,
        without_weights,
        tuple(rows.channels[:without_weights]),
        tuple(outputs),
        tuple(
            LayerParameter(parameter, layer, channel, *of_parameter)
            for (parameter, layer, channel), *of_parameter in zip(
                parameters, gradients, values, updates, strict=True
            )
        ),
        tally,
        units,
        here,
        held,
    )


def held_by(
    tally: Tally | DeviceTally, units: UnitTally | DeviceUnitTally
) -> HeldTensors | HeldOnDevice:
    """Where tensors wait until these measure them."""
    if isinstance(tally, Tally):
        assert isinstance(units, UnitTally)
        return HeldTensors(tally, units)
    assert isinstance(units, DeviceUnitTally)
    return HeldOnDevice(tally, units)


def device_of(layers: Iterable[Layer]) -> torch.device:
    """Where the first parameter lies; the CPU without any."""
    parameters = (parameter for layer in layers for _, parameter in layer.parameters)
    first = next(parameters, None)
    return torch.device("cpu") if first is None else first.device


def units_of(
    outputs: Sequence[LayerOutput], device: torch.device, options: RecorderOptions
) -> UnitTally | DeviceUnitTally:
    """A row for the units of each output."""
    active = [
        (-math.inf, math.inf)
        if (kind := output.layer.nonlinearity) is None
        else kind.active_within(options.saturation_threshold)
        for output in outputs
    ]
    return units_for(device, len(outputs), active, options.dead_window)


class _Rows:
    """Rows as they are given out."""

    def __init__(self, saturation_threshold: float) -> None:
        self.channels: list[Channel] = []
        self._threshold = saturation_threshold
        self._intervals: list[tuple[float, float]] = []
        self._axes: list[tuple[float, float] | None] = []

    def add(self, quantity: Quantity, layer: str, kind: Nonlinearity | None = None) -> int:
        self.channels.append(Channel(quantity, layer))
        self._axes.append(kind.bounds if kind else None)
        self._intervals.append(
            kind.saturated_beyond(self._threshold) if kind else (-math.inf, math.inf)
        )
        return len(self.channels) - 1

    def tally(self, device: torch.device, max_elements: int) -> Tally | DeviceTally:
        logarithmic = [channel.quantity.is_of_any_scale for channel in self.channels]
        rows = len(self.channels)
        return tally_for(
            device, RowOptions(rows, self._intervals, self._axes, logarithmic, max_elements)
        )
