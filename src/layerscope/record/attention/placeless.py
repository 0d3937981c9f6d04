"""Whether an attention's rows are made place by place of the data, with nothing of their places."""

from typing import Any

from torch import Tensor

from layerscope.record.graph_nodes import VIEWS, kind_of, shape_of

_ONE = (
    *(*VIEWS, "Transpose", "Permute", "T", "Squeeze", "Unsqueeze", "Split", "SplitWithSizes"),
    *("Unbind", "Select", "Expand", "Clone", "Alias", "ToCopy"),
    *("Relu", "Gelu", "Silu", "Tanh", "Sigmoid", "LeakyRelu", "Elu", "NativeDropout", "Neg"),
)
_PRODUCTS = {
    "Addmm": (1, "_saved_mat1"),
    "Mm": (0, "_saved_self"),
    "NativeLayerNorm": (0, "_saved_input"),
}
"""Operations with parameters: which operand comes along, and as what it is kept."""

_NODES = 64
_SOME = 4
"""Samples, or places where these come first, of a factor: it is a dropout's on all, or on none."""

_RISING = 0.5
"""Share of steps by exactly one, from which on whole numbers are those of places: also of tokens
that stand behind padding."""


def are_placeless(*rows: Tensor) -> bool:
    """Whether each of these tensors [..., rows, width] was made of data with the same function at
    each place, and with nothing that differs from place to place: no parameter or constant was
    added, and no embedding looked up, but by what stands there.

    What autograd's graph tells. False where it holds any other operation than those that are known
    to leave places alone: a convolution, a rotation, a buffer that is added. Reads what is kept for
    backward, and waits for the device.
    """
    return all(each.grad_fn is not None and _Walk().is_placeless(each.grad_fn) for each in rows)


def has_no_order(mask: Any) -> bool:
    """Whether a mask [..., rows, keys] hides the same from each row, as one of padding."""
    if not isinstance(mask, Tensor) or mask.ndim < 2 or mask.shape[-2] == 1:
        return mask is None or isinstance(mask, Tensor)
    return mask.stride(-2) == 0 or bool((mask == mask[..., :1, :]).all())


class _Walk:
    """From rows back to the data, at most so many nodes."""

    def __init__(self) -> None:
        self._left = _NODES
        self._of_data = False

    def is_placeless(self, node: Any) -> bool:
        """Whether all ways back are, and one ends in data."""
        return self._is(node, ()) and self._of_data

    def _is(self, node: Any, shape: tuple[int, ...]) -> bool:
        """Likewise of one way back, given the shape of the last view of three axes on it."""
        self._left -= 1
        if node is None or self._left < 0:
            return False
        if hasattr(node, "variable"):  # of one place: a bias, or a token that stands for a class
            own = node.variable.shape
            return bool(own.numel() == (own[-1] if own else 1))
        kind, before = kind_of(node), [each for each, _ in node.next_functions]
        shape = given if len(given := shape_of(node)) == 3 else shape
        if kind in _ONE:
            return self._is(before[0], shape)
        if kind in _PRODUCTS:
            place, saved = _PRODUCTS[kind]
            source = before[place]
            if source is not None:
                return self._is(source, shape)
            self._of_data = True
            return _has_data(getattr(node, saved), shape)
        if kind == "Embedding":
            return self._has_tokens(node._saved_indices)
        if kind in ("Mul", "Div") and None in before:
            return self._is(before[0], shape) and _is_of_one_place(node._saved_other)
        if kind in ("Add", "Mul", "Cat"):
            return all(self._is(each, shape) for each in before)
        return False

    def _has_tokens(self, tokens: Tensor) -> bool:
        """Whether they are no numbers of places, along either axis."""
        if tokens.ndim != 2 or min(tokens.shape) < 2:
            return False
        if bool((tokens == tokens[:1, :1]).all()):  # one segment
            return True
        self._of_data = True
        for along in (tokens, tokens.T):
            is_one_row = (along == along[:1]).all()
            is_rising = ((along[:, 1:] - along[:, :-1]) == 1).float().mean() > _RISING
            if bool(is_one_row | is_rising):
                return False
        return True


def _has_data(data: Any, shape: tuple[int, ...]) -> bool:
    """Whether no feature of these numbers, [rows of samples and places, features], is the same in
    all samples and not at all places, or grows along each sequence, as a date does.
    """
    if not isinstance(data, Tensor) or len(shape) != 3 or min(shape[:2]) < 2:
        return False
    if data.ndim < 2 or data[..., 0].numel() != shape[0] * shape[1]:
        return False
    data = data.reshape(*shape[:2], -1)
    for along in (data, data.transpose(0, 1)):
        is_one = (along == along[:1]).flatten(0, 1).all(0)
        is_constant = (along == along[:1, :1]).flatten(0, 1).all(0)
        steps = along[:, 1:] - along[:, :-1]
        grows = (steps >= 0).flatten(0, 1).all(0)
        if bool(((is_one | grows) & ~is_constant).any()):
            return False
    return True


def _is_of_one_place(factor: Any) -> bool:
    """Whether a factor is a number, a dropout's noise, or a mask of zeros that samples have."""
    if not isinstance(factor, Tensor):
        return False
    if factor.numel() == 1:
        return True
    if factor.ndim < 2 or len(factor) < 2:
        return False
    factor = factor[:_SOME]
    is_mask = ((factor == 0) | (factor == factor.amax())).all()
    return bool(is_mask & (factor != factor[:1]).any())
