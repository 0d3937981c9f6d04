"""Where values that are not finite come from, looked at in the moment they turn up: it is rare."""

from __future__ import annotations

import math
from dataclasses import dataclass

from layerscope.record.layers import Layer
from layerscope.record.outputs import tensors_in


@dataclass(frozen=True, slots=True)
class NotFinite:
    """What a layer was given whose output is not finite.

    Attributes:
        output: its name.
        inputs_finite: 1 if all of the module's inputs are finite, 0 if not; NaN if that is gone
            (they were changed in place, perhaps by the module) or not known (the module is the
            function of a pair).
        weights: elements of the layer's parameters that are not finite.
    """

    output: str
    inputs_finite: float
    weights: int


def look_for_cause(layer: Layer, name: str, inputs: object) -> NotFinite:
    """Look at what a layer was given; waits for the device."""
    weights = sum(int((~parameter.isfinite()).sum()) for _, parameter in layer.parameters)
    return NotFinite(name, _inputs_finite(layer, inputs), weights)


def _inputs_finite(layer: Layer, inputs: object) -> float:
    if layer.entry is not layer.module:
        return math.nan
    given = [tensor for _, tensor in tensors_in(inputs)]
    # Somebody has changed it in place, perhaps this very module: what it was is gone.
    left = [tensor for tensor in given if not tensor._version]
    if any(not tensor.isfinite().all() for tensor in left):
        return 0.0
    return 1.0 if given and len(left) == len(given) else math.nan
