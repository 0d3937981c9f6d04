"""Whether an attention's heads were cut out of its queries by a view, as their memory lies."""

from torch import Tensor

from layerscope.record.graph_nodes import MOVES, kind_of

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
