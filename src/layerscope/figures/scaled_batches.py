"""Has each batch been scaled by its own numbers?"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from layerscope.figures.inputs import Matrix
from layerscope.figures.kept_between_looks import KeptBetweenLooks
from layerscope.record.ends.ends import Data

_FEWEST, _COLUMNS = 4, 2
"""Samples of a batch, and columns: of one column a place that is always drawn is no scale."""

_LOOKS = 3
_SAME = 1e-5
"""Of a column's range: rounding."""


class Scaled(IntEnum):
    """By what each batch has been scaled."""

    BY_NOTHING = 0
    BY_ITS_ENDS = 1
    BY_ITS_MEAN = 2
    """And its deviation."""


class ScaledBatches(KeptBetweenLooks):
    """Compares the columns of what first comes in, look by look, until one of them differs."""

    def __init__(self) -> None:
        self._before: Matrix | None = None
        self._left = {Scaled.BY_ITS_ENDS, Scaled.BY_ITS_MEAN}
        self._looks = 0

    def see(self, data: Sequence[Data]) -> Scaled:
        """What all batches so far have in common that differ otherwise.

        Args:
            data: of the first layers; the first of them counts.
        """
        if not self._left:
            return Scaled.BY_NOTHING
        first = data[0] if data else None
        if first is None or first.is_part or first.rows != len(first.values):
            self._end()  # no table
            return Scaled.BY_NOTHING
        values = first.values.numpy()
        values = values[:, np.ptp(values, axis=0) > 0] if np.isfinite(values).all() else values[:0]
        if len(values) < _FEWEST or values.shape[1] < _COLUMNS:
            self._end()
            return Scaled.BY_NOTHING
        about = np.stack([values.min(0), values.max(0), values.mean(0), values.std(0)])
        before, self._before = self._before, about
        if not _are_single(values, about):
            self._left -= {Scaled.BY_ITS_ENDS}
        if not _is_standard(about, len(values)):
            self._left -= {Scaled.BY_ITS_MEAN}
        if before is not None and before.shape == about.shape:
            same = np.abs(about - before) <= _SAME * (about[1] - about[0])
            of_ends, of_mean = same[:2].all(), same[2:].all()
            if of_ends and of_mean:  # the same samples, perhaps in another order
                self._end()
            if not (of_ends and _are_of_all_columns(about)):
                self._left -= {Scaled.BY_ITS_ENDS}
        self._looks += 1
        return min(self._left) if self._left and self._looks >= _LOOKS else Scaled.BY_NOTHING

    def _end(self) -> None:
        self._left, self._before = set(), None


def _are_of_all_columns(about: Matrix) -> bool:
    """Whether all columns have the same ends, as a scale gives them: batches that are nearly all of
    few samples, as of a replay buffer that begins to fill, have those of the samples.
    """
    low, high = about[:2]
    return bool(max(np.ptp(low), np.ptp(high)) <= _SAME * (high - low).min())


def _are_single(values: Matrix, about: Matrix) -> bool:
    """Whether one sample alone is at each end of each column, and not the same in all columns: what
    has bounds of its own, as pixels, is there more often.
    """
    low, high = values == about[0], values == about[1]
    if not ((low.sum(0) == 1) & (high.sum(0) == 1)).all():
        return False
    return len({*low.argmax(0).tolist(), *high.argmax(0).tolist()}) > 2


def _is_standard(about: Matrix, samples: int) -> bool:
    """Whether each column has a mean of 0 and a deviation of 1, counted in either way."""
    ways = (about[3], about[3] * np.sqrt(samples / (samples - 1)))
    is_one = any((np.abs(way - 1) <= 1e-3).all() for way in ways)
    return is_one and bool((np.abs(about[2]) <= 1e-4).all())
