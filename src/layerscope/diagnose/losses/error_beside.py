"""The targets of an error beside other terms of a loss, which hide what kind of loss it is."""

from collections.abc import Iterable

import numpy as np

from layerscope.diagnose.losses.loss_factors import CLOSE
from layerscope.diagnose.losses.loss_kind import Matrix

_FEWEST = 16
"""Numbers: fewer are in proportion by chance."""


def targets_among(output: Matrix, gradient: Matrix, data: Iterable[Matrix]) -> Matrix | None:
    """Which of the data an error draws an output to, if one does: its slopes are in proportion to
    output minus data, of a binary cross-entropy with an output's slope below that, and of an
    absolute error to the sign.

    Args:
        output, gradient: [n, outputs].
        data: matrices of the same samples.
    """
    if gradient.size < _FEWEST or not gradient.any():
        return None
    for targets in data:
        if targets.shape != output.shape or not np.isfinite(targets).all():
            continue
        away = output - targets
        if any(_are_in_proportion(gradient, each) for each in (away, np.sign(away))):
            return targets
        slope = output * (1 - output)
        if slope.min() > 0 and _are_in_proportion(gradient, away / slope):
            return targets
    return None


def _are_in_proportion(gradient: Matrix, residual: Matrix) -> bool:
    factor = float((gradient * residual).sum() / max((residual * residual).sum(), 1e-300))
    off = np.abs(gradient - factor * residual).max()
    return factor > 0 and bool(off <= CLOSE * np.abs(gradient).max())


def targets_of_mean(
    output: Matrix, gradient: Matrix, rows: int, loss: float, square: float
) -> Matrix | None:
    """The targets of a mean squared error that is a term of a loss as it is, with no factor; None
    where the loss is less than that term, as other terms below 0 or a factor would have it.

    Arguments as of `view_loss`.
    """
    elements = rows * output.shape[1]
    error = square * elements / 4
    if not error <= loss * (1 + CLOSE):
        return None
    targets: Matrix = output - gradient * elements / 2
    return targets


def beyond(targets: Matrix, low: float, high: float) -> float:
    """How far targets lie outside of a range, in their standard deviation; 0 within it."""
    spread = max(float(targets.std()), 1e-6)
    return max(low - float(targets.min()), float(targets.max()) - high, 0.0) / spread
