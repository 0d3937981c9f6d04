"""A loss of overlap, Dice or Jaccard, that gets raw scores: told by its gradient and its value.

With I the sum of p y, S that of p and y (both smoothed alike), the Dice overlap D is 2 I / S, and
its slope 2 y / S - D / S: two values, one where y is 0 and one where it is 1 (Milletari et al.
2016, V-Net, section 3). That of the Jaccard overlap J, I / (S - I), is 1 / (S - I) where y is 1,
and -J / (S - I) elsewhere. So each overlap follows from the two slopes, and the loss has to
be 1 less their mean.
"""

from collections.abc import Iterator

import numpy as np

from layerscope.diagnose.losses.loss_factors import CLOSE
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix
from layerscope.diagnose.measured.figures import Series

_FIRST = 64
"""Elements: of a loss of overlap they have a few different slopes."""

_FEW = 8

_PIXELS = 8
"""Of a sample, at least."""

_SAMPLES = 1024
"""Of a batch, at most."""


def overlap(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """OVERLAP_OF_SCORES where outputs are not between 0 and 1, and UNKNOWN where they are.

    Arguments as of `view_loss`, of all samples.
    """
    few = len(np.unique(np.round(gradient[:_FIRST, 0] / (np.abs(gradient).max() + 1e-30), 6)))
    if few > _FEW or len(output) < _PIXELS or not np.isfinite(loss):
        return None
    if not any(_fits(each, loss) for each in _blocks(gradient, rows)):
        return None
    within = output.min() >= 0 and output.max() <= 1 + CLOSE
    return LossView(Loss.UNKNOWN if within else Loss.OVERLAP_OF_SCORES)


def _blocks(gradient: Matrix, rows: int) -> Iterator[Matrix]:
    """[overlaps, elements]: a mean of overlaps may be one over outputs, or over samples."""
    yield gradient.T
    if gradient.shape[1] == 1 and len(gradient) == rows:
        for samples in range(2, min(rows // _PIXELS, _SAMPLES) + 1):
            if rows % samples == 0:
                yield gradient.reshape(samples, -1)


def _fits(blocks: Matrix, loss: float) -> bool:
    low, high = blocks.min(1, keepdims=True), blocks.max(1, keepdims=True)
    size = np.fmax(np.abs(low), np.abs(high))
    off: Series = np.fmin(np.abs(blocks - low), np.abs(blocks - high))
    if not (
        (off <= CLOSE * size).all() and (high - low > CLOSE * size).all() and (low * high).all()
    ):
        return False
    ends = low[:, 0] * len(blocks), high[:, 0] * len(blocks)  # of the sum of overlaps
    for inside, outside in (ends, ends[::-1]):  # slopes where y is 1, and elsewhere
        dice, jaccard = 2 * outside / (outside - inside), -outside / inside
        for overlaps in (dice, jaccard):
            if any(abs(one - overlaps.mean() - loss) <= CLOSE for one in (0, 1)):
                return True
    return False
