"""What the heads of one attention have looked at, as sums: logits, entropy, one token, sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import numpy.typing as npt
from torch import Tensor

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host

PER_HEAD = ("logit", "entropy", "one_token", "query_rms", "key_rms")
"""The figures of a head, by their names in `Heads` and in files."""

Array = npt.NDArray[np.float64]


class HeadSum(IntEnum):
    """The rows of `Heads.table`."""

    LARGEST, ROWS, ENTROPY, ONE, QUERY, QUERIES = range(6)
    KEY, KEYS, SCALE, SCALES, AHEAD, PAIRS, ACROSS = range(6, 13)


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """Sums over rows of queries, so that what was seen in parts is merged by addition.

    A row counts for entropy and one_token if it sees two keys or more, and its logits are finite.

    Args:
        pending: the table; from a CUDA device it arrives while training goes on.
        visible: bool [some samples, keys], the keys that the last row may look at, where each
            sample has a mask of its own.
        samples: how many there are in all, of which those are evenly spaced.
        by_view: whether they were cut out by a view where axes were to be exchanged.
        placeless: whether they know nothing of places, see `are_placeless`; None if not looked at.
    """

    pending: Pending[Array]
    visible: Pending[Tensor] | None = None
    samples: int = 0
    by_view: bool = False
    placeless: bool | None = None

    @property
    def table(self) -> Array:
        """float64 [13, heads], by `HeadSum`: the largest logit, then sums; may wait for them."""
        return self.pending.get()

    @property
    def logit(self) -> Array:
        """[heads], the largest logit that a softmax got, masked ones left out."""
        largest = self.table[HeadSum.LARGEST]
        return np.where(np.isfinite(largest), largest, np.nan)

    @property
    def entropy(self) -> Array:
        """[heads], mean over rows of entropy / ln(keys that the row may see): 1 is uniform."""
        return self._mean(HeadSum.ENTROPY, HeadSum.ROWS)

    @property
    def one_token(self) -> Array:
        """[heads], share of rows whose largest weight is above 0.99."""
        return self._mean(HeadSum.ONE, HeadSum.ROWS)

    @property
    def query_rms(self) -> Array:
        """[heads], root mean square of the queries; NaN where nobody knows them."""
        return np.sqrt(self._mean(HeadSum.QUERY, HeadSum.QUERIES))

    @property
    def key_rms(self) -> Array:
        """[heads], root mean square of the keys; NaN where nobody knows them."""
        return np.sqrt(self._mean(HeadSum.KEY, HeadSum.KEYS))

    @property
    def scale(self) -> Array:
        """[heads], what products of queries and keys are multiplied by, times the square root of
        their width: 1 is usual; NaN where nobody knows it.
        """
        return self._mean(HeadSum.SCALE, HeadSum.SCALES)

    @property
    def ahead(self) -> Array:
        """[heads], of the keys that stand behind a query in a sequence that looks at itself, the
        share that it may see: 0 under a causal mask; NaN of as many keys as there are no rows.
        """
        return self._mean(HeadSum.AHEAD, HeadSum.PAIRS)

    def with_scale(self, scale: float) -> Heads:
        """The same with a scale that is known."""
        return self._with({HeadSum.SCALE: scale, HeadSum.SCALES: 1})

    def along_another_axis(self) -> Heads:
        """The same of a softmax that does not run along the keys."""
        return self._with({HeadSum.ACROSS: 1})

    def _with(self, known: Mapping[HeadSum, float]) -> Heads:
        def noted(table: Array) -> Array:
            table = table.copy()
            for place, value in known.items():
                table[place] = value
            return table

        return replace(self, pending=self.pending.then(noted))

    def seeing(self, visible: Tensor | None, samples: int) -> Heads:
        """The same with the keys that may be seen; see `visible` and `samples`."""
        if visible is None:
            return self
        return replace(self, visible=on_host(visible), samples=samples)

    def figures(self) -> dict[str, float]:
        """Of all heads together, by names of `LAYER_FIGURES`."""
        return {
            "attention_logit": float(np.fmax.reduce(self.logit)),
            "attention_entropy": _mean_of_known(self.entropy),
            "attention_entropy_lowest": float(np.fmin.reduce(self.entropy)),
            "attention_one_token": _mean_of_known(self.one_token),
            "attention_scale": _mean_of_known(self.scale),
            "attention_ahead": _mean_of_known(self.ahead),
            "attention_across": float((self.table[HeadSum.ACROSS] > 0).any()),
            "attention_by_view": float(self.by_view),
            "attention_placeless": math.nan if self.placeless is None else float(self.placeless),
            "query_rms": float(np.fmax.reduce(self.query_rms)),
            "key_rms": float(np.fmax.reduce(self.key_rms)),
        }

    def as_json(self) -> dict[str, list[float | None]]:
        """The figures of `PER_HEAD`, each a list over the heads, None for what is not known."""
        return {
            name: [float(f"{x:.6g}") if math.isfinite(x) else None for x in getattr(self, name)]
            for name in PER_HEAD
        }

    def _mean(self, total: int, count: int) -> Array:
        with np.errstate(all="ignore"):
            mean: Array = self.table[total] / np.where(
                self.table[count] > 0, self.table[count], np.nan
            )
        return mean

    def merged(self, other: Heads) -> Heads:
        """With what was seen elsewhere, in another micro-batch, say; of as many heads, else the
        other's.
        """

        def merge(table: Array) -> Array:
            if other.table.shape != table.shape:
                return other.table
            both = table + other.table
            both[HeadSum.LARGEST] = np.fmax(table[HeadSum.LARGEST], other.table[HeadSum.LARGEST])
            return both

        return replace(self if self.visible else other, pending=self.pending.then(merge))


def _mean_of_known(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan
