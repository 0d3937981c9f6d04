"""A cross-entropy of shares with several targets of 1 in a sample: its softmax has one to give."""

import numpy as np

from layerscope.diagnose.losses.loss_factors import CLOSE
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix

_SOME = 0.1
"""Of the samples: fewer may be rounding."""

_SEEN = 1e-3
"""Of a share: the slope is divided by it, and one that is smaller may have been cut off."""


def several_of_shares(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """SEVERAL_CLASSES for -k sum of y log p, with y of 0 and 1, of which some samples have several.

    The slopes are -k y / p; or k (s - y / p) with the sum s of a sample's y, where the loss divides
    p by its sum. Times p that is k y, for which the loss must have the value that it has. Where
    the outputs are the logarithms of p, they are -k y.
    """
    of_logs = output.max() <= CLOSE
    p = np.exp(output) if of_logs else output
    if output.shape[1] < 3 or len(output) != rows or p.min() < 0:
        return None
    if np.abs(p.sum(1) - 1).max() > CLOSE:
        return None
    logs, seen = np.log(np.fmax(p, 1e-12)), p > _SEEN
    for above in (np.zeros(rows), gradient.max(1)):  # where a sample has a y of 0
        parts = -gradient if of_logs else p * (above[:, None] - gradient)
        size = float(parts[seen].max(initial=0.0))
        bits = parts > size / 2
        others = (np.abs(parts - size * bits) * seen).max(1) > CLOSE * size
        bits[others] = True  # of a sample whose y are all 1 the largest slope is none of a 0
        if not (size > 0 and others.mean() < _SOME < (bits.sum(1) > 1).mean()):
            continue
        if abs(-size * (bits * logs).sum() - loss) <= CLOSE * abs(loss):
            return LossView(Loss.SEVERAL_CLASSES, targets=bits.astype(np.float64))
    return None
