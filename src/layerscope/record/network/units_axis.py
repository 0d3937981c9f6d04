"""Along which axis of a layer's output its units lie: features are last, channels come second."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from layerscope.record.graph_nodes import VIEWS, kind_of, signed

_NORM = nn.modules.batchnorm._NormBase
_CHANNELS_SECOND = (_NORM, nn.GroupNorm, nn.LocalResponseNorm)
_FEATURES_LAST = (
    *(nn.Linear, nn.Bilinear, nn.Embedding, nn.EmbeddingBag, nn.RNNBase, nn.RNNCellBase),
    *(nn.MultiheadAttention, nn.RMSNorm),
)

_DEPTH = 32
"""Nodes that a search walks back at most: what decides is a few away."""

# Nodes whose output has its units along the last axis, and along the second.
_LAST = ("Addmm", "Mm", "Bmm", "Baddbmm", "Linear", "MkldnnLinear", "Embedding", "FusedRmsNorm")
_SECOND = ("NativeBatchNorm", "CudnnBatchNorm", "MiopenBatchNorm", "NativeGroupNorm")
_CONVOLUTIONS = ("Convolution", "ConvolutionOverrideable", "MkldnnConvolution")
# Nodes with other axes than their input's; of all others, such as functions of each element and
# poolings, the axes are those of their first input with as many.
_RESHAPES = (*VIEWS, "Squeeze", "Expand")
_LOST = ("Select", "Sum", "Mean", "Unbind", "Stack", "Index", "Repeat", "PixelShuffle", "Cat")


def axis_of_module(module: nn.Module) -> int | None:
    """The axis, from the start or (negative) from the end, if the module's kind decides it.

    >>> axis_of_module(nn.Conv2d(3, 4, 3)), axis_of_module(nn.Linear(3, 4))
    (-3, -1)
    >>> axis_of_module(nn.ReLU()) is None
    True
    """
    if isinstance(module, nn.modules.conv._ConvNd):
        return -1 - len(module.kernel_size)
    if isinstance(module, nn.LayerNorm):
        return -len(module.normalized_shape)
    if isinstance(module, _CHANNELS_SECOND):
        return 1
    return -1 if isinstance(module, _FEATURES_LAST) else None


def axis_in_graph(tensor: Tensor) -> int | None:
    """The axis, from the start, of what an output was made of: read off autograd's graph, back to
    the nearest product, convolution or normalisation, through transpositions and views.

    None where the graph does not say, as without gradients. Some microseconds: ask once.
    """
    return _axis(tensor.grad_fn, tensor.shape, _DEPTH)


def with_units_beside(tensor: Tensor, axis: int) -> tuple[Tensor, int]:
    """The same elements with the units at axis 1 or -1, where a tally takes them, and which of the
    two; a view where that can be.

    Args:
        tensor: of 2 axes or more.
        axis: from the start, or (negative) from the end.
    """
    at = axis + tensor.ndim if axis < 0 else axis
    if at >= tensor.ndim - 1:
        return tensor, -1
    if at == 0:
        return tensor.detach().unsqueeze(0), 1
    return (tensor, 1) if at == 1 else (tensor.detach().flatten(0, at - 1), 1)


def _axis(node: Any, shape: Sequence[int], depth: int) -> int | None:
    """The axis in the output, of this shape, of a node."""
    if node is None or not depth:
        return None
    kind = kind_of(node)
    axes = len(shape)
    if kind in _LAST or kind.startswith("ScaledDotProduct"):
        return axes - 1
    if kind == "NativeLayerNorm":
        return axes - len(node._saved_normalized_shape)
    if kind in _SECOND:
        return 1
    if kind in _CONVOLUTIONS:
        return axes - 1 - len(getattr(node, "_saved_stride", shape[2:]))
    if kind == "AccumulateGrad" or kind in _LOST:
        return None
    inputs = [following for following, _ in node.next_functions]
    if kind in ("Transpose", "Permute", "Unsqueeze"):
        return _moved(kind, node, inputs[0], shape, depth)
    if kind in _RESHAPES:
        before = [int(size) for size in node._saved_self_sym_sizes]
        axis = _axis(inputs[0], before, depth - 1)
        return None if axis is None else _after_reshape(axis, before, shape)
    for following in inputs:
        if (axis := _axis(following, shape, depth - 1)) is not None:
            return axis
    return None


def _moved(kind: str, node: Any, before: Any, shape: Sequence[int], depth: int) -> int | None:
    """Through a node that moves axes: `source[i]` is where axis i of its output comes from."""
    axes = len(shape)
    if kind == "Unsqueeze":
        new = signed(node._saved_dim) % axes
        source: list[int] = [axis - (axis > new) for axis in range(axes)]
        source[new] = -1
    else:
        source = list(range(axes))
        if kind == "Transpose":
            one, other = (signed(d) % axes for d in (node._saved_dim0, node._saved_dim1))
            source[one], source[other] = source[other], source[one]
        else:
            source = [signed(dim) % axes for dim in node._saved_dims]
    sizes = {came: shape[axis] for axis, came in enumerate(source) if came >= 0}
    axis = _axis(before, [sizes[came] for came in sorted(sizes)], depth - 1)
    return None if axis is None or axis not in source else source.index(axis)


def _after_reshape(axis: int, before: Sequence[int], after: Sequence[int]) -> int | None:
    """Where an axis is found after a reshape that leaves it as it is."""
    if axis == len(before) - 1 and before[-1] == after[-1]:
        return len(after) - 1
    elements = math.prod(before[:axis])
    for there, size in enumerate(after):
        if size == before[axis] and math.prod(after[:there]) == elements:
            return there
    return None
