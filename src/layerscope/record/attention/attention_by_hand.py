"""Attention written out: a product of queries and keys, a softmax, and a product with values."""

import math
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from layerscope.record.attention.attention_mask import MASKED
from layerscope.record.attention.heads import Heads
from layerscope.record.attention.logits import heads_of_scores
from layerscope.record.attention.placeless import are_placeless, has_no_order
from layerscope.record.attention.product_operands import (
    are_by_view,
    operands_of_einsum,
    operands_of_matmul,
)
from layerscope.record.network.activation_calls import ACTIVATION_CALLS, calls_named
from layerscope.record.samples import has_memory

_KEEPS = (
    *("add", "sub", "mul", "multiply", "subtract"),
    *("masked_fill", "where", "nan_to_num", "dropout", "clamp", "tanh"),
    *("to", "float", "half", "bfloat16", "double", "type", "type_as"),
    *("view", "reshape", "unflatten", "flatten", "unsqueeze", "squeeze", "contiguous", "clone"),
)
"""What is done to scores before the softmax, and to weights after it."""

_DIVIDES = ("div", "true_divide", "divide")
"""Likewise; weights that are divided by their sums may have been made along any axis."""

_WAITING = 2
"""Softmaxes that may turn out to be an attention's: their inputs are kept alive so long."""


@dataclass(slots=True, eq=False)
class _Product:
    """What scores are made of.

    Attributes:
        query, key: each with the axis of its heads, None if that is unknown.
        rows: the axis of the query's rows; None if unknown.
        width: of queries and keys.
        equation: of an einsum; "" for a product of matrices.
        by_view: whether heads were cut out of the query by a view; of a product of matrices.
        ordered: whether something was done to the scores that is not the same for each row, as a
            causal mask, or a bias of distances.
    """

    query: tuple[Tensor, int | None]
    key: tuple[Tensor, int | None]
    rows: int | None
    width: int
    equation: str
    by_view: bool
    ordered: bool = False


@dataclass(slots=True, eq=False)
class _Softmax:
    """A softmax that has not been multiplied with values yet; `across`, not along the last axis."""

    scores: Tensor | None
    version: int
    made_of: _Product | None
    across: bool


class AttentionByHand:
    """Follows tensors from the product that makes scores to that with the values.

    A softmax is an attention's if it goes along the last axis of a tensor of three to five axes,
    and its result, or what dropout and a cast make of it, is multiplied with a tensor that is no
    parameter, along that axis. One along another axis is one, gone wrong, if it gets a product of
    two such tensors and nothing divides its result by its sums, as slot attention does (Locatello
    et al. 2020). A classifier's softmax is multiplied with nothing; a mixture of rows of an
    embedding is one with a parameter; weights of a mean have scores without a gradient. Heads lie
    along the third axis from the end; three axes are taken for one head.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """A forward pass has ended."""
        self._products: MutableMapping[Tensor, _Product] = WeakIdKeyDictionary()
        self._weights: MutableMapping[Tensor, _Softmax] = WeakIdKeyDictionary()
        self._waiting: list[_Softmax] = []

    def has_scores(self, args: tuple[Any, ...]) -> bool:
        """Whether a call is given what may be scores: a product of two tensors, scaled, say."""
        return bool(args) and isinstance(args[0], Tensor) and args[0] in self._products

    def see(
        self, role: str, args: tuple[Any, ...], kwargs: Any, output: Any, exact: bool
    ) -> Heads | None:
        """The heads of an attention that ends with this call; None for any other call.

        Args:
            role: what the call does, of `CALLS_BY_HAND`.
            exact: whether to look at all rows.
        """
        if not isinstance(output, Tensor):
            return None
        if role in ("keep", "divide"):
            _carry_over(self._products, args, output)
            product = self._products.get(output) if exact else None
            if product is not None and not product.ordered:
                others = [e for e in args if isinstance(e, Tensor) and e not in self._products]
                ordered = not all(map(has_no_order, others))
                self._products[output] = replace(product, ordered=ordered)
            _carry_over(self._weights, args, output)
            if role == "divide" and (softmax := self._weights.get(output)) and softmax.across:
                del self._weights[output]
        elif role == "softmax":
            self._see_softmax(args, kwargs, output)
        else:
            return self._see_product(role, args, output, exact)
        return None

    def _see_softmax(self, args: tuple[Any, ...], kwargs: Any, output: Tensor) -> None:
        scores = args[0] if args else kwargs.get("input")
        axis = args[1] if len(args) > 1 else kwargs.get("dim")
        if not isinstance(scores, Tensor) or not has_memory(scores) or not 3 <= scores.ndim <= 5:
            return
        made_of, across = self._products.get(scores), axis not in (-1, scores.ndim - 1)
        if not isinstance(axis, int) or scores.shape[-1] < 2 or (across and made_of is None):
            return
        if made_of is None and torch.is_grad_enabled() and not scores.requires_grad:
            return  # weights that are given, such as those of a mean of what came before
        found = _Softmax(scores.detach(), scores._version, made_of, across)
        self._weights[output] = found
        self._waiting.append(found)
        if len(self._waiting) > _WAITING:
            self._waiting.pop(0).scores = None

    def _see_product(
        self, role: str, args: tuple[Any, ...], output: Tensor, exact: bool
    ) -> Heads | None:
        operands = operands_of_einsum(args) if role == "einsum" else operands_of_matmul(args)
        if operands is None:
            return None
        (left, left_axes), (right, right_axes), of_output = operands
        for weights, axes, values, of_values in (
            (left, left_axes, right, right_axes),
            (right, right_axes, left, left_axes),
        ):
            softmax = self._weights.get(weights)
            if softmax is not None and softmax.scores is not None:
                summed = axes[-1]
                if summed in of_values and summed not in of_output and _is_activation(values):
                    return _heads(softmax, exact)
        if _is_activation(left) and _is_activation(right) and 3 <= output.ndim <= 5:
            head = of_output[-3] if output.ndim > 3 else ""
            row = of_output[-2]
            self._products[output] = _Product(
                (left, left_axes.index(head) if head in left_axes else None),
                (right, right_axes.index(head) if head in right_axes else None),
                left_axes.index(row) if row in left_axes else None,
                math.prod(
                    size
                    for axis, size in zip(left_axes, left.shape, strict=True)
                    if axis in right_axes and axis not in of_output
                ),
                args[0] if role == "einsum" else "",
                role != "einsum" and are_by_view(left),
            )
        return None


T = TypeVar("T")


def _carry_over(known: MutableMapping[Tensor, T], args: tuple[Any, ...], output: Tensor) -> None:
    """What is known of a tensor holds for what was made of it."""
    if len(known) and output not in known:
        sources = [each for each in args[:3] if isinstance(each, Tensor) and each in known]
        if sources:
            known[output] = known[sources[0]]


def _is_activation(tensor: Tensor) -> bool:
    is_parameter = isinstance(tensor, nn.Parameter) or (tensor.requires_grad and tensor.is_leaf)
    return tensor.ndim > 2 and has_memory(tensor) and not is_parameter


def _heads(softmax: _Softmax, exact: bool) -> Heads | None:
    scores, softmax.scores = softmax.scores, None
    if scores is None or scores._version != softmax.version:
        return None  # somebody has changed them in place since
    four = scores.unsqueeze(1) if scores.ndim == 3 else scores.reshape(-1, *scores.shape[-3:])
    made_of = softmax.made_of
    if made_of is None:
        return heads_of_scores(four, None, None, exact)
    query, key = (_by_head(*each, four.shape[1]) for each in (made_of.query, made_of.key))
    heads = heads_of_scores(four, query, key, exact).with_scale(_scale(four, made_of))
    placeless = None
    if exact:
        placeless = not made_of.ordered and are_placeless(made_of.query[0], made_of.key[0])
    heads = replace(heads, by_view=made_of.by_view, placeless=placeless)
    return heads.along_another_axis() if softmax.across else heads


def _scale(scores: Tensor, made_of: _Product) -> float:
    """By what products were multiplied on their way to scores, times sqrt(width): of the last rows,
    how the scores of keys that may be seen differ beside how their products do.
    """
    last = scores[:, :, -1:].float()
    if made_of.rows is None:
        return math.nan
    query, key = made_of.query[0].detach(), made_of.key[0].detach()
    rows = query.narrow(made_of.rows, query.shape[made_of.rows] - 1, 1)
    if made_of.equation:
        product = torch.einsum(made_of.equation, rows, key)
    else:
        product = torch.matmul(rows, key)
    if product.numel() != last.numel():
        return math.nan
    hidden = last <= MASKED
    seen = (~hidden).sum(-1, keepdim=True).clamp(min=1)

    def spread(z: Tensor) -> Tensor:
        z = z.masked_fill(hidden, 0)
        return (z - z.sum(-1, keepdim=True) / seen).masked_fill(hidden, 0).square().sum()

    ratio = spread(last) / spread(product.reshape(last.shape).float())
    return math.sqrt(ratio * made_of.width)  # device to host, where there is one


def _by_head(tensor: Tensor, axis: int | None, heads: int) -> Tensor:
    """[1, heads or 1, anything, 1], by head where that is known."""
    tensor = tensor.detach()
    if axis is None and tensor.ndim == 3 and len(tensor) % heads == 0:  # [batch * heads, ...]
        tensor, axis = tensor.reshape(-1, heads, *tensor.shape[1:]), 1
    if axis is None or heads % tensor.shape[axis]:
        return tensor.reshape(1, 1, -1, 1)
    return tensor.movedim(axis, 0).reshape(1, tensor.shape[axis], -1, 1)


CALLS_BY_HAND: Mapping[Any, str] = {
    **dict.fromkeys((call for call, _ in calls_named(("matmul", "bmm"))), "product"),
    **dict(calls_named(("einsum",))),
    **dict.fromkeys((call for call, _ in calls_named(_KEEPS)), "keep"),
    **dict.fromkeys((call for call, _ in calls_named(_DIVIDES)), "divide"),
    **{call: name for call, name in ACTIVATION_CALLS.items() if name == "softmax"},
}
"""The function that is called, and what it may do in an attention."""
