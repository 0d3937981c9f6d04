"""Where values that are not finite come from, looked at in the moment they turn up: it is rare."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from layerscope.measure.changed_in_place import Given
from layerscope.record.distributed.shards import local_part
from layerscope.record.network.layers import Layer
from layerscope.record.outputs import tensors_in

_NO_TENSORS = frozenset([type(None), bool, int, float, str])  # `F.relu(x, inplace=False)`

_UNKNOWN = -1  # version of a tensor of inference mode, which has none


@dataclass(frozen=True, slots=True)
class NotFinite:
    """What a layer was given whose output is not finite; or a parameter that is not, and belongs to
    no output.

    Attributes:
        inputs_finite: 1 if all of the module's inputs are finite, 0 if not; NaN if that is gone
            (they were changed in place, perhaps by the module) or not known (the module is the
            function of a pair, and not the network's first nor right behind another layer).
        weights: elements of the layer's parameters that are not finite, of those on this process.
    """

    output: str
    inputs_finite: float
    weights: int


def given_to(layer: Layer, inputs: tuple[tuple[Any, ...], Mapping[str, Any]]) -> Given:
    """The floating tensors that a layer was given, without their graph, for `look_for_cause`.

    Args:
        inputs: positional and named arguments of its module.

    Returns:
        Nothing if the module is the function of a pair: its inputs are not the layer's.
    """
    if layer.entry is not layer.module:
        return ()
    positional, named = inputs
    is_one = len(positional) == 1 and type(positional[0]) is Tensor  # by far the most common
    if is_one and _NO_TENSORS.issuperset(map(type, named.values())):
        only = positional[0]
        if not only.is_floating_point() or only.layout is not torch.strided:
            return ()  # a graph's edges, as sparse features, have no bytes to hold
        return ((only.detach() if only.requires_grad else only, _version(only)),)
    try:
        tensors = (tensor for _, tensor in tensors_in(inputs) if tensor.layout is torch.strided)
        given = map(local_part, tensors)
        return [(tensor.detach(), _version(tensor)) for tensor in given]
    except Exception:  # somebody's own kind of input
        return ()


def _version(tensor: Tensor) -> int:
    return _UNKNOWN if tensor.is_inference() else tensor._version


def look_for_cause(layer: Layer, name: str, given: Given) -> NotFinite:
    """Look at what a layer was given, by `given_to`; waits for the device."""
    parameters = (local_part(parameter) for _, parameter in layer.parameters)
    weights = sum(int((~parameter.isfinite()).sum()) for parameter in parameters)
    return NotFinite(name, _inputs_finite(given), weights)


def _inputs_finite(given: Given) -> float:
    # Somebody has changed it in place, perhaps this very module: what it was is gone.
    left = [tensor for tensor, version in given if version == 0 == tensor._version]
    if any(not tensor.isfinite().all() for tensor in left):
        return 0.0
    return 1.0 if given and len(left) == len(given) else math.nan
