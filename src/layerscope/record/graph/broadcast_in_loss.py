"""Whether a loss makes [n, n] of what should have been [n], by the shapes in its graph."""

from collections.abc import Container, Sequence
from typing import Any

from layerscope.record.graph_nodes import MOVES, inputs_of, kind_of, shape_of, through

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
    some of the pairs.

    Args:
        nodes: all between the loss and the network's outputs.
        samples: how many the outputs have.
    """
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
