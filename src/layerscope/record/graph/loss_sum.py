"""What a loss adds up, as its graph tells: numbers without a gradient, and learned factors.

Between the loss and its terms lie sums, means, signs and factors; what is behind anything else is a
term, and not looked into.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph_nodes import (
    NODES,
    WHOLE,
    behind,
    inputs_of,
    kind_of,
    shape_of,
    through,
)

_ADDS = ("Add", "Sub")
_SCALES = ("Mul", "Div")
_OF_ONE = (*WHOLE, "Neg", "Rsub", "Mean", "Sum")
_OF_SEVERAL = (*_ADDS, "Stack", "Cat")
_ONE_OF = ("Select", "Slice", "Index", "Unbind")
_EACH = (
    *(*WHOLE, *_SCALES, *_ADDS, "Neg", "Rsub", *_ONE_OF, "AccumulateGrad"),
    *("Exp", "Log", "Pow", "Reciprocal", "Sqrt", "Abs", "Softplus", "Sigmoid", "Relu", "Clamp"),
)
"""What may be done to each element of a factor by itself. A softmax of several is not: it holds
them together."""

_PLAIN = (*WHOLE, *_ONE_OF, "AccumulateGrad")
_NEAR, _ELEMENTS = 16, 64

_TERMS = 8
"""Of a loss that have learned weights: more may be data, such as points of a differential equation,
which want a gradient as well."""


@dataclass(frozen=True, slots=True)
class LossSum:
    """What is told of the sum.

    Attributes:
        adds_number: it adds something to its terms that has no gradient by the network: a penalty
            that was computed without one, or a number.
        free: small leaves that multiply a term, and that no other term is made of, nor one number
            of which multiplies two; whether each does so as it is, without a function of it.
        leaves: small leaves of which there is a factor of a few numbers, or a function that is a
            term of one.
    """

    adds_number: bool = False
    free: tuple[tuple[Tensor, bool], ...] = ()
    leaves: tuple[Tensor, ...] = ()


@dataclass(slots=True)
class _Walk:
    outputs: MarkedOutputs
    terms: list[Any] = field(default_factory=list)
    factors: list[Any] = field(default_factory=list)
    adds_number: bool = False


def sum_of(loss: Any, outputs: MarkedOutputs) -> LossSum:
    """What a loss adds up, by its node."""
    walk, waiting = _Walk(outputs), [(loss, True)]
    for _ in range(NODES):
        if not waiting:
            break
        waiting += _step(walk, *waiting.pop())
    of_terms = [behind(term, outputs) for term in walk.terms]
    held = {node for nodes in of_terms for node in nodes}
    of_factors = {factor: _leaf_of(factor) for factor in walk.factors}
    times = Counter(of_factors.values())
    learned = set(of_factors.values())
    of_data_alone = any(
        _is_of_data(nodes, outputs) and learned.isdisjoint(nodes) for nodes in of_terms
    )
    free = {
        leaf: all(kind_of(node) in _PLAIN for node in behind(factor, ()))
        for factor, leaf in of_factors.items()
        if leaf not in held and times[leaf] <= leaf.variable.numel()
        if isinstance(leaf.variable, nn.Parameter) or _are_few(factor)
    }
    numbers = (
        each  # a leaf that is a term itself is what a sum begins with, and changes no other term
        for each in walk.terms
        if math.prod(shape_of(each)) == 1 and kind_of(each) != "AccumulateGrad"
    )
    few = (each for each in walk.factors if _are_few(each))
    leaves = {leaf for each in (*few, *numbers) if (leaf := _leaf_of(each)) is not None}
    return LossSum(
        walk.adds_number or of_data_alone,
        tuple((leaf.variable, plain) for leaf, plain in free.items()),
        tuple(leaf.variable for leaf in leaves),
    )


def _are_few(factor: Any) -> bool:
    return math.prod(shape_of(factor)) <= _TERMS


def _is_of_data(nodes: Sequence[Any], outputs: MarkedOutputs) -> bool:
    """Whether a term has a gradient by data, and neither by an output nor by a parameter."""
    if len(nodes) >= NODES or any(node in outputs for node in nodes):
        return False
    leaves = [node.variable for node in nodes if kind_of(node) == "AccumulateGrad"]
    return bool(leaves) and not any(isinstance(each, nn.Parameter) for each in leaves)


def _step(walk: _Walk, node: Any, first: bool) -> Iterator[tuple[Any, bool]]:
    """The nodes to go on with; what else there is goes into the walk.

    Args:
        first: whether no sum was met on the way.
    """
    kind, inputs = kind_of(node), inputs_of(node)
    if node in walk.outputs or not inputs:
        walk.terms.append(node)
    elif kind in _OF_SEVERAL:
        if kind in _ADDS and len(inputs) == 1 and math.prod(shape_of(node)) == 1:
            walk.adds_number |= first or _is_no_start(node, walk.outputs)
        yield from ((each, False) for each in inputs)
    elif len(inputs) == 1 and kind in (*_OF_ONE, *_SCALES):
        yield inputs[0], first
    elif kind in _SCALES and (parts := _factor_and_rest(node, walk.outputs)) is not None:
        walk.factors.append(parts[0])
        yield parts[1], first
    else:
        walk.terms.append(node)


def _is_no_start(node: Any, outputs: MarkedOutputs) -> bool:
    """Whether what is added is not the 0 that Python's sum() begins with: that is added to a single
    term, as the second operand.
    """
    is_second = node.next_functions[0][0] is not None
    below = through(inputs_of(node)[0], (*_OF_ONE, *_SCALES), outputs)
    return not is_second or (below not in outputs and kind_of(below) in _ADDS)


def _factor_and_rest(product: Any, outputs: MarkedOutputs) -> tuple[Any, Any] | None:
    """A small leaf's function, and the loss that it multiplies, or divides."""
    one, other = inputs_of(product)
    for factor, rest in ((one, other), (other, one))[kind_of(product) == "Div" :]:
        ends = through(rest, (*_OF_ONE, *_SCALES), outputs)
        if _leaf_of(factor) is None or ends in outputs:
            continue
        if any(node in outputs for node in behind(rest, outputs)):
            return factor, rest
    return None


def _leaf_of(factor: Any) -> Any:
    """The one small leaf that a factor is made of, element by element; None of any other, and of
    one that is made of more than was walked through: what lies further back is not known.
    """
    nodes = behind(factor, (), most=_NEAR)
    if len(nodes) >= _NEAR:
        return None
    leaves = [node for node in nodes if kind_of(node) == "AccumulateGrad"]
    if len(leaves) != 1 or not all(kind_of(node) in _EACH for node in nodes):
        return None
    return leaves[0] if leaves[0].variable.numel() <= _ELEMENTS else None
