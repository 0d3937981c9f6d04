"""A loss that is cut off, sample by sample, or whose output is: there is no gradient beyond."""

from typing import Any

from layerscope.record.graph.criterion_in_loss import compared_in_mean_square
from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph.output_function import NO_BOUNDS, bounds_of
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


def clamped_of_mean_square(loss: Any, outputs: MarkedOutputs) -> tuple[float, float] | None:
    """Between which numbers an output is clamped whose mean squared difference from something is
    the loss; None of any other loss.

    Args:
        loss: the node that made it.
    """
    operand = compared_in_mean_square(through(loss, WHOLE), WHOLE, outputs)
    if operand is None:
        return None
    clamp = through(operand, WHOLE, outputs)
    if clamp in outputs or (bounds := bounds_of(clamp)) == NO_BOUNDS:
        return None
    return bounds if through(inputs_of(clamp)[0], WHOLE, outputs) in outputs else None


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
