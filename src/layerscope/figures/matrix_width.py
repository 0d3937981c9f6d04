"""Which axis of a matrix is its fan-in: asked of what went in and came out, not of its shape alone.

A matrix may be [outputs, inputs], as torch's own are, or [inputs, outputs], as GPT-2's are and any
that is written as `x @ W`.
"""

import math

from torch import Tensor, nn

from layerscope.record import Layer

_MATRIX = 2

Width = tuple[int, int]
"""(inputs, outputs): how many inputs each output is made of, and how many outputs there are."""


def width_of(module: nn.Module, features: tuple[int, int]) -> Width | None:
    """Of a module's own weight; None without one, and of a transposed convolution, in whose shape
    it does not stand.

    Args:
        features: how many numbers it takes and gives, each 0 if that is not known.
    """
    # Not by its name as an attribute: to ask for the weight of a spectral norm is to change it.
    weight = dict(module.named_parameters(recurse=False)).get("weight")
    if isinstance(module, nn.Linear):
        return int(module.in_features), int(module.out_features)  # numpy's, of np.prod: no JSON
    is_turned = getattr(module, "transposed", False) or isinstance(module, nn.Embedding)
    if is_turned or weight is None or weight.ndim < _MATRIX:
        return None
    return _oriented(weight, *features)


def width_of_named(layer: Layer, name: str, features: tuple[int, int] | None) -> Width | None:
    """Of a matrix with an entry of its own, such as `02_attention.in_proj_weight`; None unless it
    is one of torch's attention or recurrences, or its layer's only matrix, between what that takes
    and gives.

    Args:
        features: what the layer takes and gives; None where it gives several tensors.
    """
    matrices = {own: each for own, each in layer.parameters if each.ndim == _MATRIX}
    matrix = next((each for own, each in matrices.items() if name.endswith("." + own)), None)
    if matrix is None:
        return None
    if isinstance(layer.module, (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)):
        return int(matrix.shape[1]), int(matrix.shape[0])
    if features is None or len(matrices) > 1 or sorted(features) != sorted(matrix.shape):
        return None
    return _oriented(matrix, *features)


def _oriented(weight: Tensor, given: int, made: int) -> Width:
    rows, rest = int(weight.shape[0]), math.prod(weight.shape[1:])
    if weight.ndim == _MATRIX and made != rows and (given == rows or (not given and made == rest)):
        return rows, rest
    return rest, rows
