"""Attention's logits, of queries and keys or as they are, and what each row of them looks at."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.heads import Array, Heads, HeadSum

SAMPLE = 64
"""Rows of queries that are looked at in each head, over a batch: of up to 8 of its samples."""

ONE_TOKEN = 0.99
"""A row whose largest weight is above looks at one token only."""

MASKED = -5000.0
"""A logit, or a mask that is added to it, from here down is no key to be seen: people write -inf,
-1e4, -1e9 and the smallest number of a type."""

_ELEMENTS = 2**21
"""Logits that are looked at together on the CPU: 8 MB, and some five such tensors at once."""

_ELEMENTS_OF_A_DEVICE = 2**24
"""Elsewhere, where each operation takes microseconds to start: 64 MB."""

Keys = Callable[[slice], Tensor]
Queries = Callable[[slice, slice], Tensor]


def heads_of_products(
    queries: Queries,
    keys: Keys,
    sizes: tuple[int, int, int, int],
    scale: float,
    mask: Callable[[Tensor, slice, slice], Tensor],
    exact: bool,
    device: torch.device,
) -> Heads:
    """Compute logits of queries and keys, and look at them.

    Args:
        queries: of some samples of the batch, and rows: [samples, heads, rows, width].
        keys: of some samples: [samples, groups, keys, width]; heads of a group share them.
        sizes: (batch, heads, rows, keys).
        mask: given logits, samples and rows: the same with -inf where a row may not look.
        exact: whether to look at all rows.
    """
    table = _empty(heads := sizes[1])
    found = []
    with _by_ourselves(device):
        for samples, parts in _parts(sizes, exact, device):
            k = keys(samples).float()
            found.append((HeadSum.KEY, _norms(k, heads)))
            table[HeadSum.KEYS] += k[:, 0].numel()
            shared = k if k.shape[1] == heads else k.repeat_interleave(heads // k.shape[1], 1)
            for part in parts:
                q = queries(samples, part).float()
                found.append((HeadSum.QUERY, _norms(q, heads)))
                table[HeadSum.QUERIES] += q[:, 0].numel()
                logits = mask(q * scale @ shared.transpose(-1, -2), samples, part)
                found.append((HeadSum.LARGEST, _looks(logits)))
                _look_ahead(table, found, logits, samples, part, sizes[2])
    return Heads(_added(table, found)).with_scale(scale * q.shape[-1] ** 0.5)


def heads_of_scores(scores: Tensor, query: Tensor | None, key: Tensor | None, exact: bool) -> Heads:
    """Look at what a softmax over the last axis got.

    Args:
        scores: [batch, heads, rows, keys]; what is `MASKED` or below may not be looked at.
        query: [batch or 1, heads or 1, rows, width]; None if it is not known.
        exact: whether to look at all rows.
    """
    heads = scores.shape[1]
    table = _empty(heads)
    found = []
    with _by_ourselves(scores.device):
        for place, tensor in ((HeadSum.QUERY, query), (HeadSum.KEY, key)):
            if tensor is not None:
                found.append((place, _norms(tensor, heads)))
                table[place + 1] = tensor[:, 0].numel()
        sizes: tuple[int, int, int, int] = tuple(scores.shape)  # type: ignore[assignment]
        for samples, parts in _parts(sizes, exact, scores.device):
            for part in parts:
                z = scores[samples, :, part].float()
                z = z.masked_fill(z <= MASKED, -math.inf)
                found.append((HeadSum.LARGEST, _looks(z)))
                _look_ahead(table, found, z, samples, part, sizes[2])
    return Heads(_added(table, found))


@contextmanager
def _by_ourselves(device: torch.device) -> Iterator[None]:
    """In float32, whatever the network computes in, and for no gradient."""
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield


def _empty(heads: int) -> Array:
    table = np.zeros((len(HeadSum), heads))
    table[HeadSum.LARGEST] = -math.inf
    return table


def _parts(
    sizes: tuple[int, int, int, int], exact: bool, device: torch.device
) -> Iterator[tuple[slice, list[slice]]]:
    """Samples of the batch, and of these which rows to look at together."""
    batch, heads, rows, keys = sizes
    if not exact:
        most = min(batch, 8)
        # Evenly spaced, and the last of each interval: the first rows of a causal mask see little.
        step = -(-rows // min(rows, SAMPLE // most))
        yield slice(0, None, -(-batch // most)), [slice(step - 1, None, step)]
        return
    most = _ELEMENTS if device.type == "cpu" else _ELEMENTS_OF_A_DEVICE
    together = max(most // max(heads * keys, 1), 1)  # rows
    for first in range(0, batch, max(together // rows, 1)):
        samples = slice(first, first + max(together // rows, 1))
        yield samples, [slice(row, row + together) for row in range(0, rows, together)]


def _norms(tensor: Tensor, heads: int) -> Tensor:
    """Norms of [samples, groups, ...] by head, float32 [1, heads]."""
    norm: Tensor = torch.linalg.vector_norm(tensor, dim=(0, 2, 3), dtype=torch.float32)
    return norm.repeat_interleave(heads // len(norm)).unsqueeze(0)


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


def _look_ahead(
    table: Array,
    found: list[tuple[HeadSum, Tensor]],
    z: Tensor,
    samples: slice,
    part: slice,
    rows: int,
) -> None:
    """Count, in the first sample's first head, the keys behind a query that it may see; of as many
    keys as queries, since they are the same tokens then.
    """
    keys = z.shape[-1]
    if samples.start != 0 or keys != rows or keys < 2:
        return
    row = part.start + (part.step or 1) * torch.arange(z.shape[2], device=z.device)
    behind = torch.arange(keys, device=z.device) > row.unsqueeze(-1)
    seen = ((z[0, 0] > -math.inf) & behind).sum().float()
    found.append((HeadSum.AHEAD, seen.expand(1, table.shape[1])))
    first, step = part.start, part.step or 1
    table[HeadSum.PAIRS] += sum(keys - 1 - first - step * each for each in range(z.shape[2]))


def _added(table: Array, found: Sequence[tuple[int, Tensor]]) -> Pending[Array]:
    """The table with what was found, each with its first place in it."""
    sent = torch.cat([each for _, each in found])
    lengths = [(place, len(each)) for place, each in found]

    def add(host: Tensor) -> Array:
        rows = host.double().numpy()
        for place, length in lengths:
            figures, rows = rows[:length], rows[length:]
            if place == HeadSum.LARGEST:
                table[HeadSum.LARGEST] = np.fmax(table[HeadSum.LARGEST], figures[0])
                table[HeadSum.ROWS : HeadSum.ONE + 1] += figures[1:]
            elif place == HeadSum.AHEAD:
                table[HeadSum.AHEAD] += figures[0]
            else:
                table[place] += figures[0] ** 2
        return table

    return on_host(sent).then(add)
