"""What is measured of each layer, and into which row of the tally."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from layerscope.measure import Tally
from layerscope.measure.device_tally import DeviceTally, tally_for
from layerscope.record.asked import Asked
from layerscope.record.layers import Layer
from layerscope.record.nonlinearities import Nonlinearity
from layerscope.record.observation import Channel
from layerscope.record.place import Place


@dataclass(frozen=True, slots=True)
class Watched:
    """A parameter that is measured.

    Attributes:
        parameter: itself.
        layer: the name of the layer that has it.
        channel: its kind, `weight` or `bias`, and its entry: the layer's name, or, of a parameter
            with a name of its own, `NN_path.weight_hh_l0`.
        gradient, value, update: rows; -1 measures none.
    """

    parameter: nn.Parameter
    layer: str
    channel: Channel
    gradient: int = -1
    value: int = -1
    update: int = -1


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows for the quantities of a network's layers.

    They go quantity by quantity: what differs between ranks first, the weights and their updates
    last: without them, the rows are a prefix of all rows.

    Attributes:
        channels: what each row holds.
        outputs: how many rows, from the first, measure outputs and their gradients.
        without_weights: how many rows come before the weights.
        places: where outputs are measured, with their rows.
        parameters: what is measured of the parameters; one under two names is there once.
        tally: the rows.
    """

    channels: tuple[Channel, ...]
    outputs: int
    without_weights: int
    places: tuple[Place, ...]
    parameters: tuple[Watched, ...]
    tally: Tally | DeviceTally


def plan(layers: Sequence[Layer], places: Sequence[Place], asked: Asked) -> Plan:
    """Give rows to places, which then know theirs, and to the layers' parameters."""
    rows = _Rows(asked.saturation_threshold)
    for place in places:
        place.activation = place.gradient = place.unit_row = -1
    if "activation" in asked.quantities:
        for unit_row, place in enumerate(places):
            place.activation = rows.add("activation", place.name, place.layer.nonlinearity)
            place.unit_row = unit_row
    if "activation_grad" in asked.quantities:
        for place in places:
            place.gradient = rows.add("activation_grad", place.name)
    outputs = len(rows.channels)
    parameters = list(_parameters(layers, asked.biases))
    none = [-1] * len(parameters)
    gradients, values, updates = none, none, none
    if "weight_grad" in asked.quantities:
        gradients = [rows.add(f"{c.quantity}_grad", c.layer) for _, _, c in parameters]
    without_weights = len(rows.channels)
    if "weight" in asked.quantities:
        values = [rows.add(c.quantity, c.layer) for _, _, c in parameters]
    if "update" in asked.quantities:
        updates = [rows.add(_update(c), c.layer) for _, _, c in parameters]
    tally = rows.tally(device_of(layers), asked.max_elements)
    for place in places:
        place.tally = tally
    return Plan(
        tuple(rows.channels),
        outputs,
        without_weights,
        tuple(places),
        tuple(
            Watched(parameter, layer, channel, *of_parameter)
            for (parameter, layer, channel), *of_parameter in zip(
                parameters, gradients, values, updates, strict=True
            )
        ),
        tally,
    )


def _update(channel: Channel) -> str:
    return "update" if channel.quantity == "weight" else f"{channel.quantity}_update"


def device_of(layers: Iterable[Layer]) -> torch.device:
    """Where the first parameter lies; the CPU without any."""
    parameters = (parameter for layer in layers for _, parameter in layer.parameters)
    first = next(parameters, None)
    return torch.device("cpu") if first is None else first.device


def _parameters(
    layers: Sequence[Layer], biases: bool
) -> Iterator[tuple[nn.Parameter, str, Channel]]:
    """(parameter, layer, kind and entry); a parameter that two layers share is the first one's."""
    seen: set[nn.Parameter] = set()
    for layer in layers:
        taken: set[Channel] = set()
        for name, parameter in layer.parameters:
            if parameter in seen or not (biases or _kind(name) == "weight"):
                continue
            seen.add(parameter)
            channel = _kind_and_entry(layer.name, name)
            if channel in taken:  # a PReLU's weight, after that of the linear module before it
                channel = Channel(
                    channel.quantity, f"{layer.name}.{type(layer.module).__name__.lower()}.{name}"
                )
            taken.add(channel)
            yield parameter, layer.name, channel


def _kind(name: str) -> str:
    """`bias` also for in_proj_bias, bias_hh_l0 and out_proj.bias."""
    last = name.rpartition(".")[2]
    return "bias" if last.startswith("bias") or last.endswith("bias") else "weight"


def _kind_and_entry(layer: str, name: str) -> Channel:
    """`weight` and `bias` are the layer's; another parameter, say weight_hh_l0, says its name."""
    kind = _kind(name)
    return Channel(kind, layer if name == kind else f"{layer}.{name}")


class _Rows:
    """Rows as they are given out."""

    def __init__(self, saturation_threshold: float) -> None:
        self.channels: list[Channel] = []
        self._threshold = saturation_threshold
        self._intervals: list[tuple[float, float]] = []
        self._axes: list[tuple[float, float] | None] = []

    def add(self, quantity: str, layer: str, kind: Nonlinearity | None = None) -> int:
        self.channels.append(Channel(quantity, layer))
        self._axes.append(kind.bounds if kind else None)
        self._intervals.append(
            kind.saturated_beyond(self._threshold) if kind else (-math.inf, math.inf)
        )
        return len(self.channels) - 1

    def tally(self, device: torch.device, max_elements: int) -> Tally | DeviceTally:
        return tally_for(
            device,
            len(self.channels),
            self._intervals,
            self._axes,
            [channel.is_of_any_scale for channel in self.channels],
            max_elements,
        )
