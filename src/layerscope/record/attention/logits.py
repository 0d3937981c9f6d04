"""Attention's logits, of queries and keys or as they are, and what each row of them looks at."""

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from layerscope.measure.capability import compiled_if_possible
from layerscope.record.attention.attention_mask import MASKED, AttentionMask, visible_keys
from layerscope.record.attention.head_sums import HeadSums, Sizes
from layerscope.record.attention.heads import Heads, HeadSum

if TYPE_CHECKING:
    from layerscope.measure.cuda.attention_looks import AttentionLooks

SAMPLE = 64
"""Rows of queries that are looked at in each head, over a batch: of up to 8 of its samples."""

ONE_TOKEN = 0.99
"""A row whose largest weight is above looks at one token only."""

_ELEMENTS = 2**21
"""Logits that are looked at together on the CPU: 8 MB, and some five such tensors at once."""

_ELEMENTS_OF_A_DEVICE = 2**24
"""Elsewhere, where each operation takes microseconds to start: 64 MB."""

Keys = Callable[[slice], Tensor]
Queries = Callable[[slice, slice], Tensor]


def heads_of_products(
    queries: Queries,
    keys: Keys,
    sizes: Sizes,
    scale: float,
    mask: AttentionMask,
    exact: bool,
    device: torch.device,
) -> Heads:
    """Compute logits of queries and keys, and look at them: on CUDA by one kernel, if it can.

    Args:
        queries: of some samples of the batch, and rows: [samples, heads, rows, width].
        keys: of some samples: [samples, groups, keys, width]; heads of a group share them.
        sizes: (batch, heads, rows, keys).
        exact: whether to look at all rows.
    """
    sums = HeadSums(sizes)
    with _by_ourselves(device):
        width = _by_kernel(sums, queries, keys, scale, mask, exact, device)
        if width is None:
            for samples, parts in _parts(sizes, exact, device):
                k = keys(samples).float()
                sums.add_norms(HeadSum.KEY, k)
                many = sizes[1] // k.shape[1]
                shared = k if many == 1 else k.repeat_interleave(many, 1)
                for part in parts:
                    q = queries(samples, part).float()
                    sums.add_norms(HeadSum.QUERY, q)
                    logits = q * scale @ shared.transpose(-1, -2)
                    _add_logits(sums, mask.applied(logits, samples, part), samples, part)
            width = k.shape[-1]
        seen = visible_keys(mask.part(_some(sizes)[0], _LAST))
    return sums.heads().with_scale(scale * width**0.5).seeing(seen, sizes[0])


def _by_kernel(
    sums: HeadSums,
    queries: Queries,
    keys: Keys,
    scale: float,
    mask: AttentionMask,
    exact: bool,
    device: torch.device,
) -> int | None:
    """The same at once, without a logit in memory; the heads' width, or None where it cannot be."""
    kernel = _kernel_on(device) if device.type == "cuda" else None
    if kernel is None:
        return None
    samples, rows = _EVERY if exact else _some(sums.sizes)
    k, masks = keys(samples), mask.part(samples, rows)
    if not kernel.can_look(k, masks):
        return None
    q = queries(samples, rows)
    sums.add_norms(HeadSum.KEY, k)
    sums.add_norms(HeadSum.QUERY, q)
    place = rows.start, rows.step or 1
    looks = kernel(q, k, scale, masks, mask.is_causal, *place)
    sums.add_looks(looks[:4])
    sums.add_ahead(looks[4], samples, rows, q.shape[2])
    return k.shape[-1]


def heads_of_scores(scores: Tensor, query: Tensor | None, key: Tensor | None, exact: bool) -> Heads:
    """Look at what a softmax over the last axis got.

    Args:
        scores: [batch, heads, rows, keys]; what is `MASKED` or below may not be looked at.
        query: [batch or 1, heads or 1, rows, width]; None if it is not known.
        exact: whether to look at all rows.
    """
    sizes: Sizes = tuple(scores.shape)  # type: ignore[assignment]
    sums = HeadSums(sizes)
    with _by_ourselves(scores.device):
        for place, tensor in ((HeadSum.QUERY, query), (HeadSum.KEY, key)):
            if tensor is not None:
                sums.add_norms(place, tensor)
        for samples, parts in _parts(sizes, exact, scores.device):
            for part in parts:
                z = scores[samples, :, part].float()
                _add_logits(sums, z.masked_fill(z <= MASKED, -math.inf), samples, part)
        seen = visible_keys([scores[_some(sizes)[0], :, _LAST]])
    return sums.heads().seeing(seen, sizes[0])


@contextmanager
def _by_ourselves(device: torch.device) -> Iterator[None]:
    """In float32, whatever the network computes in, and for no gradient."""
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield


@functools.cache
def _kernel_on(device: torch.device) -> "AttentionLooks | None":
    """What looks at all of an attention at once; None where Triton cannot compile it."""

    def compiled() -> "AttentionLooks | None":
        from layerscope.measure.cuda.attention_looks import AttentionLooks  # a second to import

        looks = AttentionLooks(ONE_TOKEN, MASKED)
        looks.compile(device)
        return looks

    return compiled_if_possible(device, compiled, lambda: None)


_LAST = slice(-1, None)
_EVERY = slice(0, None), slice(0, None)
"""Samples and rows."""


def _some(sizes: Sizes) -> tuple[slice, slice]:
    """Samples and rows to look at where not all are."""
    batch, _, rows, _ = sizes
    most = min(batch, 8)
    # Evenly spaced, and the last of each interval: the first rows of a causal mask see little.
    step = -(-rows // min(rows, SAMPLE // most))
    return slice(0, None, -(-batch // most)), slice(step - 1, None, step)


def _parts(sizes: Sizes, exact: bool, device: torch.device) -> Iterator[tuple[slice, list[slice]]]:
    """Samples of the batch, and of these which rows to look at together."""
    if not exact:
        samples, rows_of_some = _some(sizes)
        yield samples, [rows_of_some]
        return
    batch, heads, rows, keys = sizes
    most = _ELEMENTS if device.type == "cpu" else _ELEMENTS_OF_A_DEVICE
    together = max(most // max(heads * keys, 1), 1)  # rows
    for first in range(0, batch, max(together // rows, 1)):
        samples = slice(first, first + max(together // rows, 1))
        yield samples, [slice(row, row + together) for row in range(0, rows, together)]


def _add_logits(sums: HeadSums, z: Tensor, samples: slice, rows: slice) -> None:
    """Look at logits, float32 [samples, heads, rows, keys], with -inf where a row may not."""
    sums.add_looks(_looks(z))
    sums.add_ahead_of(z, samples, rows)


def _looks(z: Tensor) -> Tensor:
    """What rows look at, float32 [4, heads], by logits, float32 [samples, heads, rows, keys], with
    -inf where a row may not look.
    """
    seen = (z > -math.inf).sum(-1)
    top = z.amax(-1)
    finite = top.isfinite()
    counts = finite & (seen > 1)
    below = z - top.unsqueeze(-1)  # at most 0, so that nothing below cancels
    e = below.exp()
    total = e.sum(-1)
    entropy = total.log() - (e * below.clamp(min=-1e4)).sum(-1) / total
    relative = entropy / seen.clamp(min=2).log()
    over = (0, 2)
    return torch.stack(
        [
            top.masked_fill(~finite, -math.inf).amax(over),
            counts.sum(over),
            relative.masked_fill(~counts, 0).sum(over),
            (counts & (total < 1 / ONE_TOKEN)).sum(over),
        ]
    )
