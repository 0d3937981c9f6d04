"""Criteria within a loss: an error that is a term, one that broadcasts, one that is raised."""

import math
from collections import Counter
from collections.abc import Container, Sequence
from typing import Any

from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph_nodes import MOVES, WHOLE, inputs_of, kind_of, shape_of, through

_STILL = tuple(kind for kind in WHOLE if kind != "Expand")
_MEAN = 1  # torch's number for reduction="mean"


def added_mean_square(
    loss: Any, nodes: Sequence[Any], outputs: MarkedOutputs
) -> tuple[str, int] | None:
    """The output whose mean squared difference from something is a term of a loss, with no factor,
    while no other term looks at that output: the last function that made it, in lower case, and
    its number of elements. None without one, and where another output is like it.

    Args:
        loss: the node that made it.
        nodes: all from there to the outputs.
    """
    between = [node for node in nodes if node not in outputs]
    users = Counter(each for node in between for each in inputs_of(node))
    found = [end for each in _terms_of(loss) if (end := _compared(each, users, outputs))]
    told = [_about(node, outputs) for node in nodes if node in outputs]
    if len(found) != 1:
        return None
    about = _about(found[0], outputs)
    return about if told.count(about) == 1 else None


def _terms_of(loss: Any) -> list[Any]:
    """What a loss adds up; none of a loss that is no sum."""
    waiting, terms = [loss], []
    while waiting:
        node = through(waiting.pop(), _STILL)
        if kind_of(node) == "Add" and getattr(node, "_saved_alpha", 1) == 1:
            waiting += inputs_of(node)
        elif node is not loss:
            terms.append(node)
    return terms


def _compared(term: Any, users: Counter[Any], outputs: MarkedOutputs) -> Any:
    """The output that a term is the mean square of a difference of; None if it is none."""
    node = compared_in_mean_square(term, _STILL, outputs)
    if node is None:
        return None
    while node not in outputs:
        if users[node] != 1 or kind_of(node) not in _STILL or len(inputs_of(node)) != 1:
            return None
        (node,) = inputs_of(node)
    return node if users[node] == 1 else None


def compared_in_mean_square(term: Any, moves: tuple[str, ...], outputs: MarkedOutputs) -> Any:
    """What a node is the mean squared difference of from something without a gradient, where
    nothing but these functions moves the difference; None of any other node.
    """
    below = inputs_of(term)
    if kind_of(term) == "MseLoss":
        found = below if getattr(term, "_saved_reduction", None) == _MEAN else []
    elif kind_of(term) == "Mean" and kind_of(below[0]) == "Pow":
        difference = through(inputs_of(below[0])[0], moves, outputs)
        is_square = getattr(below[0], "_saved_exponent", None) == 2
        is_square &= difference not in outputs and kind_of(difference) in ("Sub", "Rsub")
        found = inputs_of(difference) if is_square else []
    else:
        found = []
    return found[0] if len(found) == 1 else None


def _about(output: Any, outputs: MarkedOutputs) -> tuple[str, int]:
    function = kind_of(through(output, MOVES)).lower()
    return function, math.prod(outputs.shape_of(output))


_PAIRS = 3
"""Samples: of two a pair is nothing odd."""

_OF_TWO = ("Mul", "Div", "Sub", "Rsub", "Add")
_AMONG_OTHERS = ("Softmax", "LogSoftmax", "MaskedFill", "Where", "Triu", "Tril")
"""Functions of pairs: a pair among the others of its row, or only some of the pairs."""
_ON_PURPOSE = tuple(kind for kind in MOVES if kind not in ("Expand", "Clone", "Alias", "ToCopy"))


def broadcasts(
    node: Any, nodes: Sequence[Any], outputs: Container[Any], samples: Container[int]
) -> bool:
    """Whether it makes [n, n] of a number of each sample, [n] or [n, 1], and of something that has
    no gradient, and all of that goes into one number: whoever means pairs says so by a view, sums
    over the others of each sample, takes their softmax (Ren et al. 2022, Balanced MSE), or picks
    some of the pairs. Or whether it is one of torch's own errors of such an [n, n].

    Args:
        nodes: all between the loss and the network's outputs.
        samples: how many the outputs have.
    """
    if kind_of(node) in _ERRORS and node not in outputs:
        return _is_of_pairs(node, samples)
    if kind_of(node) not in _OF_TWO or node in outputs or len(inputs_of(node)) != 1:
        return False
    shape, (operand,) = shape_of(node), inputs_of(node)
    n = shape[0] if shape else 0
    if n < _PAIRS or shape != (n, n) or n not in samples:
        return False
    source = through(operand, ("Expand", "Clone", "Alias", "ToCopy"), outputs)
    is_column = shape_of(operand) == (n, 1)
    if is_column and source not in outputs and kind_of(source) in _ON_PURPOSE:
        return False
    if not is_column and shape_of(operand) != (n,):
        return False
    reached, waiting = {node}, [node]
    while waiting:
        here = waiting.pop()
        for after in nodes:
            if after not in reached and here in inputs_of(after):
                if shape_of(after) not in (shape, (), (1,)) or kind_of(after) in _AMONG_OTHERS:
                    return False
                reached.add(after)
                waiting += [after] if shape_of(after) == shape else []
    return True


_ERRORS = ("MseLoss", "SmoothL1Loss", "HuberLoss")
"""Criteria that torch broadcasts with a warning; an L1Loss is a difference in the graph."""


def _is_of_pairs(criterion: Any, samples: Container[int]) -> bool:
    """Whether torch's own criterion gets [n, n] that was [n, 1] or [n] of a number a sample. Its
    gradient draws each of them to the mean of all targets, also where somebody means pairs.
    """
    for operand in inputs_of(criterion):
        shape, behind_it = shape_of(operand), inputs_of(operand)
        if kind_of(operand) == "Expand" and len(behind_it) == 1:
            n = shape[0] if shape else 0
            if n >= _PAIRS and n in samples and shape == (n, n):
                return shape_of(behind_it[0]) in ((n, 1), (n,))
    return False


_NEVER_NEGATIVE = ("NllLoss", "MseLoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "KlDiv", "CtcLoss")
_OF_BITS = ("BinaryCrossEntropy", "BinaryCrossEntropyWithLogits")
_CRITERIA = (*_NEVER_NEGATIVE, *_OF_BITS, "NllLoss2D", "SoftMarginLoss", "MultiMarginLoss")
_SCALED = (*WHOLE, "Mul", "Div", "Add", "Sub")

EXPONENTIAL = 1.0


def raised(loss: Any) -> float:
    """EXPONENTIAL of exp(criterion), p of criterion**p where p is above 1; 0 of any other loss.

    A criterion is one of torch's, or any mean, of one number; within the function it may be
    multiplied by a number, and have one added. Of which sign that is the graph has forgotten after
    a backward pass: exp(-criterion) is below 1. A power is told of torch's own criteria alone: the
    square of a mean may be how far that is from 0.
    """
    node = through(loss, WHOLE)
    kind, inputs = kind_of(node), inputs_of(node)
    if math.prod(shape_of(node)) != 1 or not inputs:
        return 0.0
    inner = through(inputs[0], _SCALED)
    of_torch = kind_of(inner) in _CRITERIA
    if math.prod(shape_of(inner)) != 1 or not (of_torch or kind_of(inner) == "Mean"):
        return 0.0
    if kind == "Exp":
        return EXPONENTIAL
    power = 2.0 if kind == "Mul" and len(inputs) == 2 and inputs[0] is inputs[1] else 0.0
    if type(node).__name__ == "PowBackward0":  # by a number: a tensor may be freed
        power = float(node._saved_exponent)
    return power if of_torch and power > 1 else 0.0
