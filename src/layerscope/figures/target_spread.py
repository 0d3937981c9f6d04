"""How targets lie: how far those of different samples are apart, and how much a few hold."""

import math
from collections import deque

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.losses.loss_kind import OF_BITS, Loss, LossView, Matrix
from layerscope.figures.kept_between_looks import KeptBetweenLooks

_TOLD = (Loss.SQUARED_ERROR, *OF_BITS)

_ROUNDED = 1e-6
"""How far an error may be from 1 that is 1 but for rounding."""

Bits = npt.NDArray[np.bool_]


class TargetsApart(KeptBetweenLooks):
    """Remembers how small and how large some target of each output must be."""

    def __init__(self) -> None:
        self._ends: npt.NDArray[np.float64] | None = None

    def see(self, view: LossView, values: Matrix) -> float:
        """The largest difference between two samples' targets of one output, of all that were
        seen; NaN where they are not known. Where a Huber loss cuts an error off, the target is
        known to be as far away or farther, and counts as the nearest that it may be.

        Args:
            values: [samples, outputs], that it was told by.
        """
        targets = view.targets
        if view.kind not in _TOLD or view.broadcast or targets is None or not targets.size:
            return math.nan
        at_most = at_least = targets
        # Of classes those of sure samples are left out, or stand last.
        if view.kind is Loss.SQUARED_ERROR and targets.shape == values.shape:
            below, above = _cut_off(values - targets)
            at_most = np.where(above, math.inf, targets)
            at_least = np.where(below, -math.inf, targets)
        ends = np.stack([at_most.min(0), at_least.max(0)])
        if self._ends is None:
            self._ends = ends
        if self._ends.shape != ends.shape:
            return math.inf
        self._ends = np.stack([np.fmin(self._ends[0], ends[0]), np.fmax(self._ends[1], ends[1])])
        return max(0.0, float((self._ends[1] - self._ends[0]).max()))


def _cut_off(error: Matrix) -> tuple[Bits, Bits]:
    """Whose target may be farther below, and whose farther above: the slopes of a Huber loss or a
    smooth absolute error (Huber 1964; by default half the square up to 1) end at errors of 1, and
    so do all errors that are read off them.
    """
    may_be_cut = np.abs(error).max() <= 1 + _ROUNDED
    at_end = (np.abs(error) >= 1 - _ROUNDED) & may_be_cut
    return at_end & (error > 0), at_end & (error < 0)


Column = npt.NDArray[np.float64]

_FEWEST, _MOST = 256, 1024
"""Targets of the looks so far: of fewer, one percent is one or two."""

_PART = 100
_TAIL = 0.5
"""Of what is left without the farthest one: else that one is a row in other units, and no tail."""


class TargetTail(KeptBetweenLooks):
    """Remembers the last targets of a squared error of one output."""

    def __init__(self) -> None:
        self._targets: deque[float] = deque(maxlen=_MOST)

    def figures(self, view: LossView, values: Matrix, *, by_sample: bool) -> dict[str, float]:
        """Of a step: the share of the targets' squared deviations that the farthest one percent of
        those seen so far have, and the share of the step's squared error that its mean error makes.

        Args:
            values: of the output, float64 [samples, outputs].
            by_sample: whether each row is a sample, and no place of a map: most are ground there.
        """
        targets = view.targets
        if view.kind is not Loss.SQUARED_ERROR or targets is None or view.broadcast:
            return {}
        if targets.shape[1] != 1 or targets.shape != values.shape:
            return {}
        off = values - targets
        square = float(np.square(off).mean())
        figures = {"error_mean": float(np.square(off.mean())) / square} if square > 0 else {}
        return figures | (self._tail(targets[:, 0]) if by_sample else {})

    def _tail(self, targets: Column) -> dict[str, float]:
        self._targets.extend(targets.tolist())
        seen = np.array(self._targets)
        off = np.abs(seen - np.median(seen))
        if len(seen) < _FEWEST or np.median(off) == 0:  # of mostly one value no logarithm is left
            return {}
        share, others = _share_of_farthest(seen), _share_of_farthest(np.delete(seen, off.argmax()))
        return {"target_tail": share if others > _TAIL else others}


def _share_of_farthest(values: Column) -> float:
    squares = np.sort(np.square(values - values.mean()))
    return float(squares[-max(len(values) // _PART, 1) :].sum() / squares.sum())
