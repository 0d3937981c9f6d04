"""Samples that are in their batch again with another label."""

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.losses.loss_kind import ERRORS, OF_BITS, OF_CLASSES, LossView
from layerscope.figures.inputs import Matrix
from layerscope.figures.kept_between_looks import KeptBetweenLooks

_FEWEST = 8
"""Samples that have a twin."""

_AGAIN = 0.25
"""Of the inputs: more that were in the last batch too are drawn from few, such as states."""

_FAR = 0.8
"""Of the targets' variance, that twins differ by: nothing else is left to learn."""

_SAME, _ROUNDED = 1e-4, 1e-6
"""Of the outputs' deviation, and of their size: twins' outputs differ by no more."""

Marks = npt.NDArray[np.int64]


class Twins(KeptBetweenLooks):
    """Compares the labels of samples that are the same, where a batch's are others than the last
    one's and the network gives the same for twins: it gets nothing beside that tells them apart.
    """

    def __init__(self) -> None:
        self._before: Marks | None = None

    def see(self, marks: Marks, view: LossView, values: Matrix) -> float:
        """Share of the samples that have a twin with another label, where no label has more than
        half of the twins; of errors, that have one at all, where their targets are far apart. 0 at
        the first look; NaN where the loss is not known.

        Args:
            marks: the same number where samples are the same, [samples], or [0] without any.
            values: of the output, [samples, outputs].
        """
        before, self._before = self._before, np.unique(marks)
        targets = view.targets
        if targets is None or view.broadcast or len(targets) != len(values):
            return np.nan
        if before is None or len(marks) != len(values):
            return 0.0
        _, group, sizes = np.unique(marks, return_inverse=True, return_counts=True)
        has_twin = sizes[group] > 1
        new = ~np.isin(marks, before)
        if has_twin.sum() < _FEWEST or new[has_twin].mean() < 1 - _AGAIN:
            return 0.0
        off = np.abs(_from_mean(values, group, sizes)).max()
        if off > _SAME * values.std(0).max() + _ROUNDED * np.abs(values).max():
            return 0.0
        if view.kind in ERRORS:
            return float(has_twin.mean()) if _are_far(targets, group, sizes) else 0.0
        if view.kind in OF_CLASSES or (view.kind in OF_BITS and targets.shape[1] == 1):
            labels = targets[:, 0].round().astype(np.int64)
            return float(_are_at_odds(labels, group, sizes)[group].mean())
        return np.nan


def _from_mean(values: Matrix, group: Marks, sizes: Marks) -> Matrix:
    """Of each row, how far it is from the mean of its group."""
    sums = np.zeros((len(sizes), values.shape[1]))
    np.add.at(sums, group, values)
    return values - (sums / sizes[:, None])[group]


def _are_far(targets: Matrix, group: Marks, sizes: Marks) -> bool:
    """Whether targets vary within groups nearly as they do altogether."""
    square = np.square(_from_mean(targets, group, sizes)).sum() / (len(targets) - len(sizes))
    variance = targets[sizes[group] > 1].var(0, ddof=1).sum()
    return bool(0 < _FAR * variance <= square)


def _are_at_odds(labels: Marks, group: Marks, sizes: Marks) -> npt.NDArray[np.bool_]:
    """Of each group, whether no label has more than half of it; of one sample, not."""
    pairs, counts = np.unique(np.stack([group, labels], 1), axis=0, return_counts=True)
    largest = np.zeros(len(sizes), np.int64)
    np.maximum.at(largest, pairs[:, 0], counts)
    at_odds: npt.NDArray[np.bool_] = 2 * largest <= sizes
    return at_odds
