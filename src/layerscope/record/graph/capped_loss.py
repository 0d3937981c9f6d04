"""A loss whose samples cost no more than some number each: beyond it they get no gradient."""

from typing import Any

from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph_nodes import NODES, WHOLE, behind, inputs_of, kind_of, through

_ADDS = ("Add", "Sub")
_OF_ONE = ("Neg", "Mean", "Sum", "Mul", "Div", *WHOLE)
_STEEP = ("Pow", "Abs")
_NEAR = 12

_ERRORS = frozenset(
    {
        *("NllLoss", "NllLoss2D", "LogSoftmax", "LogSigmoid", "BinaryCrossEntropy"),
        *("BinaryCrossEntropyWithLogits", "MseLoss", "L1Loss", "SmoothL1Loss", "HuberLoss"),
        *_STEEP,
    }
)
"""Of which a sample that is right has little."""


def is_capped(loss: Any, outputs: MarkedOutputs) -> bool:
    """Whether a term of a loss is a sum or mean of errors, or one error, each cut off at a number
    above, by `clamp(max=...)` or as the minimum of it and something without a gradient; or of
    squares of differences that are cut off so at both ends.

    Not what is cut off below alone, as a hinge or a margin is, nor the minimum of two that both
    have a gradient, as PPO takes it (Schulman et al. 2017): what has no gradient there is right.
    Nor a score, as in a discriminator's hinge loss.

    Args:
        loss: the node that made it.
    """
    waiting, seen = [loss], 0
    while waiting and seen < NODES:
        node, seen = waiting.pop(), seen + 1
        if node in outputs:
            continue
        before = inputs_of(node)
        if _is_cut(node):
            if _is_error(before[0], outputs):
                return True
        elif kind_of(node) in _ADDS or (kind_of(node) in _OF_ONE and len(before) == 1):
            waiting += before
        elif kind_of(node) in _STEEP and _is_cut_difference(before[0], outputs):
            return True
    return False


def _is_cut(node: Any) -> bool:
    kind, before = kind_of(node), inputs_of(node)
    if type(node).__name__ == "ClampBackward1":  # by numbers: tensors may be freed
        return len(before) == 1 and node._saved_max is not None
    return len(before) == 1 and kind in ("ClampMax", "Minimum")


def _is_error(node: Any, outputs: MarkedOutputs) -> bool:
    nodes = behind(node, outputs, _NEAR)
    return not _ERRORS.isdisjoint(kind_of(each) for each in nodes if each not in outputs)


def _is_cut_difference(node: Any, outputs: MarkedOutputs) -> bool:
    node = through(node, WHOLE, outputs)
    if node in outputs or not _is_cut(node) or getattr(node, "_saved_min", None) is None:
        return False
    difference = through(inputs_of(node)[0], WHOLE, outputs)
    return difference not in outputs and kind_of(difference) in ("Sub", "Rsub")
