"""An error that a loss adds to other terms, as it is."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph_nodes import MOVES, WHOLE, inputs_of, kind_of, through

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
    below = inputs_of(term)
    if kind_of(term) == "MseLoss":
        found = below if getattr(term, "_saved_reduction", None) == _MEAN else []
    elif kind_of(term) == "Mean" and kind_of(below[0]) == "Pow":
        difference = through(inputs_of(below[0])[0], _STILL, outputs)
        is_square = getattr(below[0], "_saved_exponent", None) == 2
        is_square &= difference not in outputs and kind_of(difference) in ("Sub", "Rsub")
        found = inputs_of(difference) if is_square else []
    else:
        found = []
    if len(found) != 1:
        return None
    (node,) = found
    while node not in outputs:
        if users[node] != 1 or kind_of(node) not in _STILL or len(inputs_of(node)) != 1:
            return None
        (node,) = inputs_of(node)
    return node if users[node] == 1 else None


def _about(output: Any, outputs: MarkedOutputs) -> tuple[str, int]:
    function = kind_of(through(output, MOVES)).lower()
    return function, math.prod(outputs.shape_of(output))
