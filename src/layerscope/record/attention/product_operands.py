"""What queries and keys are multiplied of: operands of a product, and heads cut out by a view."""

from typing import Any

from torch import Tensor

from layerscope.record.graph_nodes import MOVES, kind_of

Named = tuple[Tensor, list[str]]
"""A tensor, and a name for each of its axes: what has the same name in both operands is the same
axis, and is summed over if the output has none of that name."""

Operands = tuple[Named, Named, list[str]]
"""The left one, the right one, and the names of the output's axes."""


def operands_of_matmul(args: tuple[Any, ...]) -> Operands | None:
    """Those of `matmul` and `bmm`; None unless both have three axes or more.

    Axes count from the end, as they are broadcast.
    """
    if len(args) < 2 or not (isinstance(args[0], Tensor) and isinstance(args[1], Tensor)):
        return None
    left, right = args[0], args[1]
    if left.ndim < 3 or right.ndim < 3:
        return None
    lead = [f"b{place}" for place in range(max(left.ndim, right.ndim) - 2, 0, -1)]
    return (
        (left, [*lead[len(lead) - left.ndim + 2 :], "m", "k"]),
        (right, [*lead[len(lead) - right.ndim + 2 :], "k", "n"]),
        [*lead, "m", "n"],
    )


def operands_of_einsum(args: tuple[Any, ...]) -> Operands | None:
    """Those of an einsum that says what comes out (`->`), of two tensors; None of any other, and
    where an ellipsis stands for axes.
    """
    equation = args[0] if args else None
    tensors = args[1:]
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        tensors = tuple(tensors[0])
    if not isinstance(equation, str) or len(tensors) != 2 or "->" not in equation:
        return None
    inputs, _, output = equation.replace(" ", "").partition("->")
    of_each = inputs.split(",")
    if "." in equation or any(len(o) != t.ndim for o, t in zip(of_each, tensors, strict=True)):
        return None
    return (tensors[0], list(of_each[0])), (tensors[1], list(of_each[1])), list(output)


_LOOKED_THROUGH = (*MOVES, "Mul", "Div")  # a scale, too
_EXCHANGES = ("Transpose", "Permute", "T", "Movedim", "Expand", "Select", "Slice", "AsStrided")


def are_by_view(queries: Tensor) -> bool:
    """Whether queries [batch, heads, rows, width], or [batch * heads, rows, width], are made of
    [batch, rows, heads * width] with no axes exchanged on the way.

    Then what is called a head is a part of the rows, and each of its rows a part of one.
    """
    node, width = queries.grad_fn, queries.shape[-1]
    while node is not None and kind_of(node) in _LOOKED_THROUGH:
        if kind_of(node) in _EXCHANGES:
            return False
        before = [each for each in node.next_functions if each[0] is not None]
        if len(before) != 1:
            return False
        node, place = before[0]
        gradients = getattr(node, "_input_metadata", ())
        shape = tuple(gradients[place].shape) if place < len(gradients) else ()
        if len(shape) == 3 and width < shape[2] and shape[2] % width == 0:
            batch, rows, heads = *shape[:2], shape[2] // width
            cut = (batch, heads, rows, width), (batch * heads, rows, width)
            return tuple(queries.shape) in cut and heads != rows > 1
    return False
