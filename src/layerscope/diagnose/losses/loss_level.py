"""What a loss of a known kind comes to by the output alone, without what is added to it."""

import math

import numpy as np

from layerscope.diagnose.losses.classification_loss import log_of_sum
from layerscope.diagnose.losses.loss_factors import near
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix


def loss_of(view: LossView, output: Matrix) -> float:
    """The mean cross-entropy of an output [samples, outputs] with the targets that were told.

    NaN for a sum, for smoothed or weighted targets, for any other kind, and where the targets are
    of some of the samples only.
    """
    targets = view.targets
    plain = near(view.reduction, 1.0) and not (view.smoothing or view.negated or view.activated)
    if targets is None or not plain or len(targets) != len(output):
        return math.nan
    if view.kind is Loss.CROSS_ENTROPY:
        output = output / view.temperature
        at = np.take_along_axis(output, targets[:, :1].astype(np.intp), axis=1)[:, 0]
        return float((log_of_sum(output) - at).mean())
    if view.kind is Loss.BINARY_LOGITS and targets.shape == output.shape:
        return float((np.logaddexp(0, output) - targets * output).mean())
    return math.nan
