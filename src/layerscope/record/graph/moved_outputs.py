"""What an output is, moved or scaled at most: another layer's output, or a parameter."""

from collections.abc import Container, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from layerscope.record.graph_nodes import MOVES, PRODUCTS, inputs_of, kind_of

# Functions that only move elements, or scale them: a linear layer behind them still gets what a
# linear layer before them gave. With two operands that have a gradient they are none.
_MOVES = (
    *(*MOVES, "NativeDropout", "Mul", "Div", "Add", "Sub", "Neg"),
    "RegisterPostBackwardFunction",  # of FSDP, before each of its modules
)
_SLOPE = "_saved_negative_slope"
"""Of a LeakyReLU's node: with a slope of 1 it is a straight line."""

_PRODUCTS = (*PRODUCTS, "Baddbmm")


def moved_from(node: Any, nodes: Mapping[int, str]) -> str | None:
    """The layer whose output was moved, or scaled, to become that of `node`; None without one."""
    while id(node) not in nodes:
        following = inputs_of(node)
        if len(following) != 1 or kind_of(node) not in _MOVES:
            return None
        node = following[0]
    return nodes[id(node)]


def linear_before(
    node: Any, bare: Mapping[int, nn.Module], masked: Container[Any] = ()
) -> int | None:
    """The node of the bare linear output that the product behind `node` is made of; None if there
    is none, or one of these is between.
    """
    product = _product_before(node)
    if product is None:
        return None
    for operand in inputs_of(product):
        here = operand
        while True:
            if id(here) in bare:
                return id(here)
            following = inputs_of(here)
            straight = kind_of(here) in _MOVES or getattr(here, _SLOPE, None) == 1
            if not (straight and here not in masked and len(following) == 1):
                break
            here = following[0]
    return None


def masked_before(node: Any, given: Any) -> Iterator[Any]:
    """Of what the product behind `node` is made of, the nodes that multiply, where these make a
    ReLU by hand, `x * (x > 0)`: what a dropout leaves has both signs.

    Args:
        given: what the layer got. The graph keeps it, but to ask for that may have an activation
            checkpoint compute again.
    """
    product = _product_before(node)
    if product is None or not isinstance(given, Tensor) or not given.is_floating_point():
        return
    if not bool((given == 0).any()) or bool((given > 0).any() & (given < 0).any()):
        return
    for operand in inputs_of(product):
        here = operand
        while kind_of(here) in _MOVES and len(inputs_of(here)) == 1:
            if kind_of(here) == "Mul":
                yield here
            (here,) = inputs_of(here)


def _product_before(node: Any) -> Any:
    """The nearest product on a way back without forks; None at a fork."""
    here = node
    while kind_of(here) not in _PRODUCTS:
        following = inputs_of(here)
        if len(following) != 1:
            return None
        here = following[0]
    return here


def is_of_parameter(output: Tensor, is_linear: bool) -> bool:
    """Whether what an activation function gives, or a linear layer, is made of one parameter beside
    the layer's own, and of no data: moved, or scaled and shifted by a number while it has as many
    elements as the parameter.
    """
    node = output.grad_fn
    if node is None:
        return False
    inputs = _input_of_product(node) if is_linear else inputs_of(node)
    single = is_linear or len(node.next_functions) == 1
    while len(inputs) == 1:
        (node,) = inputs
        if kind_of(node) not in _MOVES:
            parameter = getattr(node, "variable", None)
            is_whole = single or (
                isinstance(parameter, Tensor) and parameter.numel() == output.numel()
            )
            return isinstance(parameter, nn.Parameter) and is_whole
        single &= len(node.next_functions) == 1  # a number is an input as well, and so are data
        inputs = inputs_of(node)
    return False


def _input_of_product(node: Any) -> list[Any]:
    """The node of what a linear layer multiplies by its weight; none of what has no gradient, as
    data.
    """
    while kind_of(node) in _MOVES:  # a bias is added last to what has more than two axes
        node = node.next_functions[0][0]
    places = {"Addmm": 1, "Mm": 0}
    found = node.next_functions[places[kind_of(node)]][0] if kind_of(node) in places else None
    return [] if found is None else [found]
