"""Which function made a tensor, be it a module's or written in a forward: autograd knows."""

import math
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from layerscope.record.graph_nodes import MOVES, PRODUCTS, inputs_of, kind_of, signed

_NAMES = {
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
    "Tanh": "tanh",
    "Relu": "relu",
    "Softplus": "softplus",
    "Elu": "elu",
    "LogSigmoid": "logsigmoid",
    "LogSoftmax": "log_softmax",
    **dict.fromkeys(("Clamp", "ClampMin", "ClampMax", "Hardtanh", "Minimum", "Maximum"), "clamp"),
}
_JOINS = ("Stack", "Cat")  # as the steps of a sequence
_RECURRENT = ("MkldnnRnnLayer", "ThnnFusedLstmCell", "ThnnFusedGruCell")
_CUDNN, _CUDNN_RELU = "CudnnRnn", 0
_LINEAR = (*PRODUCTS, "Baddbmm", "Mv", "Trilinear", "Convolution", "MkldnnConvolution")
_DIVIDES = ("Div", "Mul", "ClampMin", "Clamp", "Reciprocal", "Pow", "Add")
_NORMS = ("LinalgVectorNorm", "Norm", "WeightNormInterface")
_STATISTICS = ("NativeBatchNorm", "CudnnBatchNorm", "NativeLayerNorm", "NativeGroupNorm")
_NODES, _STEPS = 64, 8
"""Behind the output, where a margin of angles takes some forty; and behind an operand."""


NO_BOUNDS = -math.inf, math.inf


@dataclass(frozen=True, slots=True)
class OutputFunction:
    """What was applied last.

    Attributes:
        name: in lower case, "linear" for a product or convolution, "recurrent" for the state of an
            LSTM or a GRU, "normalized" of a normalisation without weights; "" for any that is not
            known.
        over_samples: whether it is a softmax along the first axis of several samples and classes.
        axis: along which axis, from the first, the softmax is that it is; None of any other
            function, and where axes were moved since.
        of_cosines: whether the output is made of a product of two normalised tensors.
        bounds: between which a clamp by numbers leaves it; infinite of any other function.
        cosine_scale: the number that such a product is multiplied by, if nothing else is done to
            it; NaN else, and where the number is learned.
    """

    name: str = ""
    over_samples: bool = False
    axis: int | None = None
    of_cosines: bool = False
    cosine_scale: float = math.nan
    bounds: tuple[float, float] = NO_BOUNDS


def output_function(tensor: Tensor) -> OutputFunction:
    """The function that a tensor has been through last; views of it are looked through.

    A function that is applied to the output outside of the network is not seen.
    """
    node = tensor.grad_fn
    moved = False
    while node is not None:
        kind = kind_of(node)
        if not (kind in MOVES and len(node.next_functions) == 1) and not _joins_alike(node):
            break
        node, moved = node.next_functions[0][0], True
    if node is None:
        return OutputFunction()
    name = "linear" if _is_linear(node) else _NAMES.get(kind, "")
    name = "recurrent" if _is_state(node) else name
    if kind in _STATISTICS and getattr(node, "_saved_weight", name) is None:
        name = "normalized"
    axis = signed(getattr(node, "_saved_dim", -1)) if "softmax" in name else -1
    place = axis % max(tensor.ndim, 1)
    matrix = tensor.ndim > 1 and len(tensor) > 1 and tensor.shape[-1] > 1
    over_samples = not moved and place == 0 and matrix
    along = place if "softmax" in name and not moved else None
    of_cosines = _is_of_cosines(node)
    scale = _scale_of(node) if of_cosines else math.nan
    return OutputFunction(name, over_samples, along, of_cosines, scale, bounds_of(node))


_BY_NUMBERS = ("ClampBackward1", "ClampMinBackward0", "ClampMaxBackward0")


def bounds_of(node: Any) -> tuple[float, float]:
    """Between which values a clamp by numbers leaves what it gets; NO_BOUNDS of any other function,
    and of one by tensors, which a backward pass has freed.
    """
    if kind_of(node) == "Hardtanh":
        return float(node._saved_min_val), float(node._saved_max_val)
    if type(node).__name__ not in _BY_NUMBERS:
        return NO_BOUNDS
    low, high = getattr(node, "_saved_min", None), getattr(node, "_saved_max", None)
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)


def _joins_alike(node: Any) -> bool:
    """Whether it puts tensors together that the same operation has made."""
    parts = {each and kind_of(each) for each, _ in node.next_functions}
    return kind_of(node) in _JOINS and len(parts) == 1 and None not in parts


def _is_state(node: Any) -> bool:
    """Whether it makes the state of an LSTM or a GRU, which lies between -1 and 1: a sigmoid times
    a tanh, or a mean of a tanh and the state before.
    """
    kind = kind_of(node)
    if kind == _CUDNN:
        modes = getattr(node, "_saved_mode", _CUDNN_RELU), getattr(node, "_saved_proj_size", 0)
        return modes[0] != _CUDNN_RELU and modes[1] == 0
    before = inputs_of(node)
    kinds = sorted(map(kind_of, before))
    if kind == "Mul":
        gates = [each for each in before if kind_of(each) == "Sigmoid"]
        return kinds == ["Sigmoid", "Tanh"] and len(gates) == 1
    if kind == "Add" and kinds == ["Mul", "Tanh"]:
        product, tanh = sorted(before, key=kind_of)
        differences = [each for each in inputs_of(product) if kind_of(each) == "Sub"]
        return any(tanh in inputs_of(minus) for minus in differences)
    return kind in _RECURRENT


def _is_linear(node: Any) -> bool:
    """Whether it is a product or convolution, also one that is written out: a bias that is added
    by hand, or a sum over what two tensors give when they are multiplied.
    """
    kind, before = kind_of(node), inputs_of(node)
    if kind == "Add":
        return any(kind_of(each) in _LINEAR for each in before)
    if kind == "Sum":
        return kind_of(before[0]) == "Mul" and len(inputs_of(before[0])) == 2
    return kind in _LINEAR


def _is_of_cosines(node: Any) -> bool:
    """Whether the nearest product on the way back is one of two tensors that have been divided by
    their norms, such as a class's direction and a sample's.
    """
    waiting, seen = [node], 0
    while waiting and seen < _NODES:
        here = waiting.pop(0)
        seen += 1
        before = inputs_of(here)
        if kind_of(here) in PRODUCTS:
            operands = before[-2:]
            return len(operands) == 2 and all(map(is_normalized, operands))
        waiting += before
    return False


def _scale_of(node: Any) -> float:
    """What a product has been multiplied by since, if it was by fixed numbers and nothing else."""
    scale = 1.0
    while kind_of(node) not in PRODUCTS:
        kind, factor = kind_of(node), getattr(node, "_saved_other", None)
        if kind in ("Mul", "Div"):
            if not isinstance(factor, Tensor) or factor.ndim or factor.requires_grad:
                return math.nan
            if factor.device.type != "cpu":  # one would have to wait for it
                return math.nan
            scale *= float(factor) if kind == "Mul" else 1 / float(factor)
        elif kind not in MOVES:
            return math.nan
        node = node.next_functions[0][0]
        if node is None:
            return math.nan
    return scale


def is_normalized(node: Any, ends: Container[Any] = ()) -> bool:
    """Whether what it gives has been divided by its norm, up to these nodes and no further back."""
    waiting, steps = [node], 0
    while waiting and steps < _STEPS:
        here = waiting.pop(0)
        steps += 1
        if here in ends:
            continue
        kind = kind_of(here)
        if kind in _NORMS:
            return True
        if kind in (*MOVES, *_DIVIDES):
            waiting += inputs_of(here)
    return False
