"""A hinge loss that gets labels of 0 and 1, told by its gradient on the output and its value."""

import numpy as np

from layerscope.diagnose.losses.loss_factors import alike
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix

_FEWEST = 4
"""Samples of each label."""

_REST = 0.05
"""Of the loss: a penalty of the weights may be added to it."""


def hinge_of_bits(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """max(0, 1 - y z) with y = 1 has the slope -k below z = 1. With y = 0 it is 1 and has none,
    where one with y = -1 would have k above z = -1 (Rosasco et al. 2004, section 2).

    Arguments as of `view_loss`, of all samples, those without a gradient too.
    """
    z, slope = output[:, 0], gradient[:, 0]
    down, none = slope < 0, (slope == 0) & (np.abs(z) < 1)
    if output.shape[1] > 1 or (slope > 0).any() or min(down.sum(), none.sum()) < _FEWEST:
        return None
    if not (alike(-slope[down]) and (z[down] < 1).all()):
        return None
    total = loss / float(np.median(-slope[down])) * len(z) / rows
    zeros = total - (1 - z[down]).sum()  # each adds 1
    slack = _REST * total
    if not none.sum() - slack <= zeros <= (slope == 0).sum() + slack:
        return None
    return LossView(Loss.HINGE_OF_BITS, targets=down[:, None].astype(np.float64))
