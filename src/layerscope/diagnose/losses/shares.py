"""Targets that a cross-entropy takes for probabilities, and whether they can be any.

Of targets t >= 0 with the sum S, the slopes of a sample are g = k (S p - t) with p = softmax(z), so
that k S >= g / p in each place, and the loss is the sum over all samples of k S H(p) + g log(p)
with the entropy H. So the slopes alone say how small that may be, whatever k and S are.
"""

from enum import IntEnum

import numpy as np

from layerscope.diagnose.losses.classification_loss import log_of_sum
from layerscope.diagnose.losses.loss_kind import Matrix

_LIKELY = 1e-4
"""Of a share: the quotient of a slope and a smaller one is rounding."""

_CLOSE, _BELOW = 1e-3, 0.05
"""Relative to the loss's parts; and how far below 0 a target is, a sum from 1, or a sum of slopes
from 0, that is no rounding."""


class Shares(IntEnum):
    """What targets of a cross-entropy are that it takes for probabilities."""

    MAY_BE = 0
    NEGATIVE = 1
    OF_OTHER_SUMS = 2
    """In some samples, or all, they do not add up to 1."""
    TURNED = 3
    """Minus probabilities: the loss is minus a cross-entropy."""


def shares_of(values: Matrix, gradient: Matrix, loss: float, *, mean: bool) -> Shares:
    """Whether targets may be probabilities.

    Args:
        values: of the output, float64 [samples, classes], all of a batch.
        gradient: of the loss on it, likewise.
        mean: whether it is known to be the mean over the samples.
    """
    off = np.abs(gradient.sum(1)).sum()
    if off > _BELOW * np.abs(gradient).sum():
        return Shares.MAY_BE
    told = _told(values, gradient, loss, mean=mean)
    if told is not Shares.NEGATIVE or loss >= 0 or not gradient.any(1).all():
        return told
    turned = _told(values, -gradient, -loss, mean=mean)
    return Shares.TURNED if turned is Shares.MAY_BE else told


def _told(values: Matrix, gradient: Matrix, loss: float, *, mean: bool) -> Shares:
    logs = values - log_of_sum(values)[:, None]
    p = np.exp(logs)
    entropy = -(p * logs).sum(1)
    least = np.where(p > _LIKELY, gradient / np.fmax(p, _LIKELY), 0).max(1)
    parts = least * entropy, (gradient * logs).sum(1)
    if loss < sum(parts).sum() - _CLOSE * sum(np.abs(part).sum() for part in parts):
        return Shares.NEGATIVE
    if not gradient.any(1).all():  # samples that are left out by targets of 0
        return Shares.MAY_BE
    factor = (loss - parts[1].sum()) / entropy.sum()  # if each sum is 1
    if factor > 0 and (p - gradient / factor).min() < -_BELOW:
        return Shares.OF_OTHER_SUMS
    if mean and not abs(factor * len(values) - 1) <= _BELOW:
        return Shares.OF_OTHER_SUMS
    return Shares.MAY_BE
