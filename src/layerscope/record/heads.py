"""What the heads of one attention look at: largest logit, entropy, rows with one token, sizes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

PER_HEAD = ("logit", "entropy", "one_token", "query_rms", "key_rms")
"""The figures of a head, by their names in `Heads` and in files."""

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

_LARGEST, _ROWS, _ENTROPY, _ONE, _QUERY, _QUERIES, _KEY, _KEYS, _SCALE, _SCALES = range(10)

Figures = npt.NDArray[np.float64]
Keys = Callable[[slice], Tensor]
Queries = Callable[[slice, slice], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """Sums over rows of queries, so that what was seen in parts is merged by addition.

    A row counts for entropy and one_token if it sees two keys or more, and its logits are finite.

    Attributes:
        table: float64 [10, heads]: the largest logit; then sums.
    """

    table: Figures

    @property
    def logit(self) -> Figures:
        """[heads], the largest logit that a softmax got, masked ones left out."""
        largest = self.table[_LARGEST]
        return np.where(np.isfinite(largest), largest, np.nan)

    @property
    def entropy(self) -> Figures:
        """[heads], mean over rows of entropy / ln(keys that the row may see): 1 is uniform."""
        return self._mean(_ENTROPY, _ROWS)

    @property
    def one_token(self) -> Figures:
        """[heads], share of rows whose largest weight is above `ONE_TOKEN`."""
        return self._mean(_ONE, _ROWS)

    @property
    def query_rms(self) -> Figures:
        """[heads], root mean square of the queries; NaN where nobody knows them."""
        return np.sqrt(self._mean(_QUERY, _QUERIES))

    @property
    def key_rms(self) -> Figures:
        """[heads], root mean square of the keys; NaN where nobody knows them."""
        return np.sqrt(self._mean(_KEY, _KEYS))

    @property
    def scale(self) -> Figures:
        """[heads], what products of queries and keys are multiplied by, times the square root of
        their width: 1 is usual; NaN where nobody knows it.
        """
        return self._mean(_SCALE, _SCALES)

    def with_scale(self, scale: float) -> Heads:
        """The same with a scale that is known."""
        table = self.table.copy()
        table[_SCALE], table[_SCALES] = scale, 1
        return Heads(table)

    def figures(self) -> dict[str, float]:
        """Of all heads together, by names of `LAYER_FIGURES`."""
        return {
            "attention_logit": float(np.fmax.reduce(self.logit)),
            "attention_entropy": _mean_of_known(self.entropy),
            "attention_entropy_lowest": float(np.fmin.reduce(self.entropy)),
            "attention_one_token": _mean_of_known(self.one_token),
            "attention_scale": _mean_of_known(self.scale),
            "query_rms": float(np.fmax.reduce(self.query_rms)),
            "key_rms": float(np.fmax.reduce(self.key_rms)),
        }

    def as_json(self) -> dict[str, list[float | None]]:
        """The figures of `PER_HEAD`, each a list over the heads, None for what is not known."""
        return {
            name: [float(f"{x:.6g}") if math.isfinite(x) else None for x in getattr(self, name)]
            for name in PER_HEAD
        }

    def _mean(self, total: int, count: int) -> Figures:
        with np.errstate(all="ignore"):
            mean: Figures = self.table[total] / np.where(
                self.table[count] > 0, self.table[count], np.nan
            )
        return mean

    def merged(self, other: Heads) -> Heads:
        """With what was seen elsewhere, in another micro-batch, say; of as many heads, else the
        other's.
        """
        if other.table.shape != self.table.shape:
            return other
        table = self.table + other.table
        table[_LARGEST] = np.fmax(self.table[_LARGEST], other.table[_LARGEST])
        return Heads(table)


def _mean_of_known(values: Figures) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


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
            found.append((_KEY, _norms(k, heads)))
            table[_KEYS] += k[:, 0].numel()
            shared = k if k.shape[1] == heads else k.repeat_interleave(heads // k.shape[1], 1)
            for part in parts:
                q = queries(samples, part).float()
                found.append((_QUERY, _norms(q, heads)))
                table[_QUERIES] += q[:, 0].numel()
                logits = mask(q * scale @ shared.transpose(-1, -2), samples, part)
                found.append((_LARGEST, _looks(logits)))
    _add(table, found)
    return Heads(table).with_scale(scale * q.shape[-1] ** 0.5)


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
        for place, tensor in ((_QUERY, query), (_KEY, key)):
            if tensor is not None:
                found.append((place, _norms(tensor, heads)))
                table[place + 1] = tensor[:, 0].numel()
        sizes: tuple[int, int, int, int] = tuple(scores.shape)  # type: ignore[assignment]
        for samples, parts in _parts(sizes, exact, scores.device):
            for part in parts:
                z = scores[samples, :, part].float()
                found.append((_LARGEST, _looks(z.masked_fill(z <= MASKED, -math.inf))))
    _add(table, found)
    return Heads(table)


@contextmanager
def _by_ourselves(device: torch.device) -> Iterator[None]:
    """In float32, whatever the network computes in, and for no gradient."""
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield


def _empty(heads: int) -> Figures:
    table = np.zeros((10, heads))
    table[_LARGEST] = -math.inf
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


def _add(table: Figures, found: Sequence[tuple[int, Tensor]]) -> None:
    """Take in what was found, each with its first place in the table."""
    host = torch.cat([each for _, each in found]).cpu().double().numpy()  # device to host, once
    for place, each in found:
        figures, host = host[: len(each)], host[len(each) :]
        if place == _LARGEST:
            table[_LARGEST] = np.fmax(table[_LARGEST], figures[0])
            table[_ROWS : _ONE + 1] += figures[1:]
        else:
            table[place] += figures[0] ** 2
