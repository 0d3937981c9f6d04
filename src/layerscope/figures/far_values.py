"""Does one value of a column stand for something else than the others: -999 for "not known"?"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

from layerscope.figures.inputs import Matrix
from layerscope.figures.kept_between_looks import KeptBetweenLooks
from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Data

_FEWEST = 3
"""Samples of one batch that have it, all of them different: one that is far out comes again."""

_OTHERS = 8
"""Different other values, at least: of fewer it may be one of a few kinds, or of marks."""

_MOST = 0.5
"""Share of the samples that have it: what most have is what the others are exceptions to."""

_ROWS, _COLUMNS, _ENOUGH = 256, 128, 8192
"""Samples of a batch, and columns of a table, that are looked at; and samples in all."""

_NONE = {"input_far": 0.0}


class FarValues(KeptBetweenLooks):
    """Of each column of what first comes in, what lies at its ends, look by look. The first column
    that shows such a value is kept to.
    """

    def __init__(self) -> None:
        # The two lowest values, and minus the two highest; how often the lowest and the highest
        # have come, and in how many different samples of one batch; and values of one, at most.
        self._ends = np.full((2, 2, 0), np.inf)
        self._seen, self._most, self._others = np.zeros((2, 0)), np.zeros((2, 0)), np.zeros(0)
        self._samples, self._column = 0, -1

    def see(self, data: Sequence[Data]) -> dict[str, float]:
        """How far the value lies from all others, in times by which these are spread, from 1 on;
        its column, and itself. 0 of no such value; nothing where no table comes in.

        Args:
            data: of the first layers; the first of them counts.
        """
        first = data[0] if data else None
        if first is None or first.is_part or first.rows != len(first.values):
            return {}
        values = first.values.numpy()[:_ROWS]
        if not values.size or values.shape[1] > _COLUMNS or not np.isfinite(values).all():
            return {}
        if self._ends.shape[2] != values.shape[1]:
            self._begin(values.shape[1])
        if self._samples > _ENOUGH:
            return self._told()
        rows = np.unique(values, axis=0)  # a sample that has been drawn twice is one
        self._samples += len(rows)
        for end, signed in enumerate((rows, -rows)):
            low = signed.min(0)
            at = signed == low
            count = at.sum(0)
            after = np.where(at, np.inf, signed).min(0)
            lowest, second = self._ends[end]
            new, same = low < lowest, low == lowest
            self._seen[end] = np.where(new, 0, self._seen[end]) + np.where(new | same, count, 0)
            most = np.where(new, 0, self._most[end])
            self._most[end] = np.where(new | same, np.fmax(most, count), most)
            beyond = np.where(new, np.fmin(lowest, after), np.where(same, after, low))
            self._ends[end] = np.fmin(low, lowest), np.where(new, beyond, np.fmin(second, beyond))
        others = (np.diff(np.sort(rows, axis=0), axis=0) > 0).sum(0)  # besides one of them
        self._others = np.fmax(self._others, others)
        return self._told()

    def _told(self) -> dict[str, float]:
        (lowest, second), (highest, before) = self._ends[0], -self._ends[1]
        with np.errstate(all="ignore"):
            far = np.stack(
                [(second - lowest) / (highest - second), (highest - before) / (before - lowest)]
            )
        so = (self._most >= _FEWEST) & (self._seen <= _MOST * self._samples)
        so &= (self._others >= _OTHERS) & np.isfinite(far) & (far > 1)
        if not so.any():
            return _NONE
        times = np.where(so, far, 0)
        if self._column < 0 or not times[:, self._column].any():
            self._column = int(times.max(0).argmax())
        end = int(times[:, self._column].argmax())
        value = (lowest, highest)[end][self._column]
        return {
            "input_far": float(times[end, self._column]),
            "input_far_column": float(self._column),
            "input_far_value": float(value),
        }

    def _begin(self, columns: int) -> None:
        self._ends = np.full((2, 2, columns), np.inf)
        self._seen, self._most = np.zeros((2, columns)), np.zeros((2, columns))
        self._others, self._samples, self._column = np.zeros(columns), 0, -1


_LOOKS, _EVALUATED = 3, 2
"""Batches of training and of evaluation, at least; and most that are kept of training."""
_BATCHES = 32

_VALUES = 64
"""Of a batch, at least."""

_FAR, _APART = 10.0, 1.5
"""Times that all batches of the one are spread more widely than all of the other: whatever they
are; and where the one are pixels of 0 to 1, and the other were moved to have values below 0."""
_BELOW, _MOVED = 0.05, 0.25
"""Share of these; how far the mean has moved, in standard deviations."""


class EvaluatedInputs(KeptBetweenLooks):
    """Mean, deviation, ends and share below 0 of batches, exact zeros left out: a padding is 0.

    Batches, their sizes and lengths differ, and augmentation changes all of these: so all batches
    of evaluation must be apart from all of training, by a factor that it does not reach. Noise that
    is added in training alone leaves the mean, and it spreads pixels below 0 as well.
    """

    def __init__(self) -> None:
        self._trained: list[list[float]] = []
        self._evaluated: list[list[float]] = []

    def see(self, data: Sequence[Data], evaluated: Sequence[Pending[Tensor]]) -> float:
        """Deviation in evaluation / in training, if they are scaled differently; else 1.

        Args:
            data: of the first layers; judged where there is one, and it was called once.
            evaluated: what a first layer got in evaluation mode since the last look.
        """
        if len(data) == 1 and not data[0].is_part and len(self._trained) < _BATCHES:
            self._trained += _about(data[0].values.numpy())
        for each in evaluated:
            self._evaluated += _about(each.get().numpy())
        if len(self._trained) < _LOOKS or len(self._evaluated) < _EVALUATED:
            return 1.0
        one, other = np.array(self._trained), np.array(self._evaluated)
        far = _are_apart(one, other, _FAR) or _are_apart(other, one, _FAR)
        if not (far or _are_moved(one, other) or _are_moved(other, one)):
            return 1.0
        return float(np.median(other[:, 1]) / np.median(one[:, 1]))


def _about(values: Matrix) -> list[list[float]]:
    """What is kept of a batch; nothing of one that is too small, or all alike."""
    there = values[np.isfinite(values) & (values != 0)]
    if there.size < _VALUES or not there.std() > 0:
        return []
    below = float((there < 0).mean())
    return [
        [float(there.mean()), float(there.std()), float(there.min()), float(there.max()), below]
    ]


def _are_apart(wide: npt.NDArray[np.float64], narrow: npt.NDArray[np.float64], by: float) -> bool:
    return bool(wide[:, 1].min() > by * narrow[:, 1].max())


def _are_moved(scaled: npt.NDArray[np.float64], pixels: npt.NDArray[np.float64]) -> bool:
    """Whether the one are pixels of 0 to 1, and the other may be such, less a mean, divided by a
    deviation.
    """
    are_pixels = pixels[:, 2].min() >= 0 and 0.5 < pixels[:, 3].max() <= 1
    moved = pixels[:, 0].min() - scaled[:, 0].max() > _MOVED * np.median(scaled[:, 1])
    has_below = scaled[:, 4].min() > _BELOW
    return bool(are_pixels and has_below and moved and _are_apart(scaled, pixels, _APART))
