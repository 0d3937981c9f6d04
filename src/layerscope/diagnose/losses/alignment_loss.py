"""A connectionist temporal classification (CTC) of raw scores, told by its gradient on the output.

The loss takes logarithms x of probabilities. Its gradient is k (exp(x) - q), with q the share of
all alignments that have a class in a step of time, so that q adds up to 1 (Graves et al. 2006,
section 4.1, equation 16). Where exp(x) adds up to 1 as well, so does nothing of the gradient; of
raw scores it adds up to k (sum of exp(x) - 1).
"""

import numpy as np

from layerscope.diagnose.losses.loss_factors import CLOSE
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix

_TELLS = 0.05
"""How far from 1 a sum of exp(x) tells anything."""

_WHOLE = 0.02
"""Of shares of alignments, some are farther from 0 and 1."""

_STEPS = 8
"""Steps of time per sample, on the mean: each sample may have a k, by the length of its target."""


def alignment_of_scores(output: Matrix, gradient: Matrix) -> LossView | None:
    """ALIGNMENT_OF_SCORES; None of any other loss.

    Args:
        output, gradient: [n, classes], of steps of time that have a gradient.
    """
    if output.shape[1] < 2 or output.max() > 60:
        return None
    p = np.exp(output)
    beyond = p.sum(1) - 1
    told = np.abs(beyond) > _TELLS
    if told.sum() < _STEPS or told.mean() < 0.5:
        return None
    factors = gradient[told].sum(1) / beyond[told]
    if not (factors > 0).all():
        return None
    q = p[told] - gradient[told] / factors[:, np.newaxis]
    if q.min() < -CLOSE * p.max() or q.max() > 1 + CLOSE * p.max():
        return None
    if np.abs(q - q.round()).max() < _WHOLE:  # labels: a sigmoid of low scores is all but exp(x)
        return None
    ordered = np.sort(factors)
    different = 1 + (np.diff(ordered) > CLOSE * ordered[1:]).sum()
    return LossView(Loss.ALIGNMENT_OF_SCORES) if different * _STEPS <= len(ordered) else None
