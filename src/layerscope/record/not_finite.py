"""Where values that are not finite come from, looked at in the moment they turn up: it is rare."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from layerscope.record.layers import Layer
from layerscope.record.outputs import tensors_in


@dataclass(frozen=True, slots=True)
class NotFinite:
    """What a layer was given whose output is not finite.

    Attributes:
        output: its name.
        inputs_finite: 1 if all of the module's inputs are finite, 0 if not; NaN if they are gone
            (the module changed them in place) or belong to the activation function of a pair.
        weights: elements of the layer's parameters that are not finite.
    """

    output: str
    inputs_finite: float
    weights: int


def look_for_cause(layer: Layer, name: str, inputs: object, output: Tensor) -> NotFinite:
    """Look at what a layer was given; waits for the device."""
    weights = sum(int((~parameter.isfinite()).sum()) for _, parameter in layer.parameters)
    return NotFinite(name, _inputs_finite(layer, inputs, output), weights)


def _inputs_finite(layer: Layer, inputs: object, output: Tensor) -> float:
    if layer.entry is not layer.module:
        return math.nan
    memory = output.untyped_storage().data_ptr()
    given = [tensor for _, tensor in tensors_in(inputs)]
    left = [tensor for tensor in given if tensor.untyped_storage().data_ptr() != memory]
    if any(not tensor.isfinite().all() for tensor in left):
        return 0.0
    return 1.0 if given and len(left) == len(given) else math.nan
