"""Attention in one call of torch: which queries, keys and mask it was given."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from layerscope.record.attention.attention_mask import AttentionMask
from layerscope.record.attention.heads import Heads
from layerscope.record.attention.logits import heads_of_products
from layerscope.record.attention.placeless import are_placeless, has_no_order
from layerscope.record.samples import has_memory


def _fused(
    query: Tensor,
    key: Tensor,
    _value: Tensor | None = None,
    attn_mask: Tensor | None = None,
    _dropout: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    *,
    exact: bool,
    **_: Any,
) -> Heads | None:
    """The heads of `scaled_dot_product_attention`: along the third axis from the end. Three axes
    are taken for one head.
    """
    if not (has_memory(query) and has_memory(key)) or query.ndim < 2:
        return None
    heads = query.shape[-3] if query.ndim > 3 else 1
    groups = key.shape[-3] if key.ndim > 3 else 1
    lead = np.broadcast_shapes(_leading(query), _leading(key))  # torch's takes 30 times as long
    q = query.expand(*lead, heads, *query.shape[-2:]) if query.ndim > 3 else _one_head(query, lead)
    k = key.expand(*lead, groups, *key.shape[-2:]) if key.ndim > 3 else _one_head(key, lead)
    q, k = q.reshape(-1, *q.shape[-3:]), k.reshape(-1, *k.shape[-3:])
    sizes = len(q), heads, q.shape[2], k.shape[2]
    if attn_mask is not None:
        if query.ndim < 4 and attn_mask.ndim > 2:
            attn_mask = attn_mask.unsqueeze(-3)
        attn_mask = _four_axes(attn_mask, lead).expand(sizes)
    return heads_of_products(
        lambda samples, rows: q[samples, :, rows],
        lambda samples: k[samples],
        sizes,
        q.shape[-1] ** -0.5 if scale is None else scale,
        AttentionMask([] if attn_mask is None else [attn_mask], is_causal),
        exact,
        q.device,
    )


def _leading(tensor: Tensor) -> tuple[int, ...]:
    """The axes of a batch: those before heads, rows and width."""
    return tensor.shape[: max(tensor.ndim - 3, 0)] if tensor.ndim > 3 else tensor.shape[:-2]


def _one_head(tensor: Tensor, lead: tuple[int, ...]) -> Tensor:
    return tensor.expand(*lead, *tensor.shape[-2:]).unsqueeze(-3)


def _four_axes(mask: Tensor, lead: tuple[int, ...]) -> Tensor:
    """A mask as [batch or 1, heads or 1, rows or 1, keys]; a copy of no more than it has."""
    mask = mask.reshape(*[1] * max(3 - mask.ndim, 0), *mask.shape)
    if all(size == 1 for size in mask.shape[:-3]):
        return mask.reshape(1, *mask.shape[-3:])
    return mask.expand(*lead, *mask.shape[-3:]).reshape(-1, *mask.shape[-3:])


_MULTI_HEAD = inspect.signature(F.multi_head_attention_forward)


def _multi_head(*args: Any, exact: bool, **kwargs: Any) -> Heads | None:
    """The heads of `multi_head_attention_forward`, which nn.MultiheadAttention is: it projects
    within its call, so a sample of rows is projected again. Its bool masks are True where a row
    may not look.
    """
    bound = _MULTI_HEAD.bind(*args, **kwargs)
    bound.apply_defaults()
    given = bound.arguments
    query, key = given["query"], given["key"]
    if not (has_memory(query) and has_memory(key)):
        return None
    unbatched = query.ndim == 2
    query, key = (query.unsqueeze(1), key.unsqueeze(1)) if unbatched else (query, key)
    rows, batch, width = query.shape
    heads = given["num_heads"]
    if given["use_separate_proj_weight"]:
        w_q, w_k = given["q_proj_weight"], given["k_proj_weight"]
    else:
        w_q, w_k, _ = given["in_proj_weight"].chunk(3)
    bias = given["in_proj_bias"]
    b_q, b_k = (None, None) if bias is None else bias.chunk(3)[:2]

    def queries(samples: slice, part: slice) -> Tensor:
        q = _projected(query[part, samples], w_q, b_q)
        return q.reshape(*q.shape[:2], heads, -1).permute(1, 2, 0, 3)

    def keys(samples: slice) -> Tensor:
        static = given["static_k"]
        if static is not None:
            k = static.reshape(batch, heads, *static.shape[1:])[samples]
        else:
            x = _projected(key[:, samples], w_k, b_k)
            if given["bias_k"] is not None:
                x = torch.cat([x, given["bias_k"].expand(1, x.shape[1], -1)])
            k = x.reshape(*x.shape[:2], heads, -1).permute(1, 2, 0, 3)
        return F.pad(k, (0, 0, 0, 1)) if given["add_zero_attn"] else k

    static = given["static_k"]
    seen = len(key) if static is None else static.shape[1]
    added = int(given["bias_k"] is not None and static is None) + int(given["add_zero_attn"])
    sizes = batch, heads, rows, seen + added
    padding = given["key_padding_mask"]
    mask = given["attn_mask"]
    if padding is not None:
        padding = padding.reshape(batch, 1, 1, -1)
    if mask is not None:
        mask = mask.reshape(batch, heads, *mask.shape[1:]) if mask.ndim == 3 else mask[None, None]
    masks = [
        F.pad(~each if each.dtype == torch.bool else each, (0, added), value=fill).expand(sizes)
        for each in (mask, padding)
        if each is not None
        for fill in [each.dtype == torch.bool]
    ]
    scale = (width // heads) ** -0.5
    return heads_of_products(queries, keys, sizes, scale, AttentionMask(masks), exact, query.device)


def _projected(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As the network does it where they are of one kind, else in float32: float32 takes a GPU ten
    times as long as bfloat16.
    """
    if x.dtype != weight.dtype:
        x, weight = x.float(), weight.float()
    return F.linear(x, weight, None if bias is None else bias.to(x.dtype))


FUSED_CALLS: Mapping[Any, Callable[..., Heads | None]] = {
    F.scaled_dot_product_attention: _fused,
    F.multi_head_attention_forward: _multi_head,
}
"""The function that is called, and what looks at its arguments."""


def are_fused_placeless(function: Any, args: tuple[Any, ...], kwargs: Any) -> bool:
    """Whether queries, keys and mask of such a call know nothing of places; as called, with graph.

    Args:
        function: of `FUSED_CALLS`.
    """
    if function is F.scaled_dot_product_attention:
        given = dict(zip(_SCALED, args, strict=False)) | kwargs
    else:
        given = _MULTI_HEAD.bind(*args, **kwargs).arguments
    if given.get("is_causal") or not has_no_order(given.get("attn_mask")):
        return False
    return are_placeless(given["query"], given["key"])


_SCALED = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
