"""What is measured of each layer, and into which row of the tally."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from layerscope.measure import Tally
from layerscope.measure.device_tally import DeviceTally, tally_for
from layerscope.record.layers import Layer
from layerscope.record.nonlinearities import Nonlinearity
from layerscope.record.observation import Channel

QUANTITIES = ("activation", "activation_grad", "weight_grad", "weight")
"""What can be recorded of a layer, in the order of the rows."""


@dataclass(slots=True)
class Plan:
    """Rows for the quantities of a network's layers.

    They go quantity by quantity, the weights last: without them, the rows are a prefix of all rows.

    Attributes:
        channels: what each row holds.
        without_weights: how many rows come before the weights.
        outputs: (layer's name, module, row of its activation, row of the activation gradient); -1
            is no row.
        gradients: (parameter, row of its gradient).
        weights: (parameter, row of its values).
        tally: the rows.
    """

    channels: tuple[Channel, ...] = ()
    without_weights: int = 0
    outputs: list[tuple[str, nn.Module, int, int]] = field(default_factory=list)
    gradients: list[tuple[nn.Parameter, int]] = field(default_factory=list)
    weights: list[tuple[nn.Parameter, int]] = field(default_factory=list)
    tally: Tally | DeviceTally = field(default_factory=lambda: Tally(0))


def plan(
    layers: Sequence[Layer],
    quantities: Iterable[str],
    biases: bool,
    saturation_threshold: float,
    max_elements: int,
) -> Plan:
    """Give rows to the quantities of layers; see `Recorder` for the arguments and errors."""
    wanted = tuple(quantities)
    for quantity in wanted:
        if quantity not in QUANTITIES:
            raise ValueError(f"quantities must be among {', '.join(QUANTITIES)}, got {quantity!r}")
    if not 0 < saturation_threshold < 1:
        raise ValueError(
            f"saturation_threshold must be above 0 and below 1, got {saturation_threshold}"
        )
    rows = _Rows(saturation_threshold)
    made = Plan()
    activations = [
        rows.add("activation", layer.name, layer.nonlinearity) if "activation" in wanted else -1
        for layer in layers
    ]
    gradients = [
        rows.add("activation_grad", layer.name) if "activation_grad" in wanted else -1
        for layer in layers
    ]
    made.outputs = [
        (layer.name, layer.module, activation, gradient)
        for layer, activation, gradient in zip(layers, activations, gradients, strict=True)
        if (activation, gradient) != (-1, -1)
    ]
    parameters = [
        (parameter, *_quantity_and_place(layer, name))
        for layer in layers
        for name, parameter in layer.parameters
        if biases or not name.startswith("bias")
    ]
    if "weight_grad" in wanted:
        made.gradients = [(p, rows.add(f"{kind}_grad", where)) for p, kind, where in parameters]
    made.without_weights = len(rows.channels)
    if "weight" in wanted:
        made.weights = [(p, rows.add(kind, where)) for p, kind, where in parameters]
    made.channels = tuple(rows.channels)
    made.tally = rows.tally(_device_of(layers), max_elements)
    return made


def _device_of(layers: Sequence[Layer]) -> torch.device:
    """Where the first parameter lies; the CPU without any."""
    parameters = (parameter for layer in layers for _, parameter in layer.parameters)
    first = next(parameters, None)
    return torch.device("cpu") if first is None else first.device


def _quantity_and_place(layer: Layer, name: str) -> tuple[str, str]:
    """`weight` and `bias` are the layer's; another parameter, say weight_hh_l0, says its name."""
    kind = "bias" if name.startswith("bias") else "weight"
    return kind, layer.name if name == kind else f"{layer.name}.{name}"


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
            [channel.quantity.endswith("_grad") for channel in self.channels],
            max_elements,
        )
