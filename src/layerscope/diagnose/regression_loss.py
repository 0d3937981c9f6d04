"""A squared or absolute error, told by its gradient on the output."""

import math

import numpy as np

from layerscope.diagnose.loss_factors import CLOSE, alike, factors, near
from layerscope.diagnose.loss_kind import Loss, LossView, Matrix


def absolute_error(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """Each element's slope is k or -k; targets are known only on average, from the loss."""
    size = np.abs(gradient[gradient != 0])
    elements = rows * output.shape[1]
    if len(size) < 2 or not alike(size):
        return None
    factor = float(np.median(size))
    if not any(near(factor, usual) for usual in factors(output, rows)):
        return None
    mean_error = loss / (factor * elements)
    targets = output - np.sign(gradient) * mean_error if math.isfinite(loss) else None
    return LossView(Loss.ABSOLUTE_ERROR, factor * elements, targets)


def absolute_error_of_pairs(output: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    """|z_i - y_j| over all i and j: a slope counts the targets below an output less those above.

    So it is a whole number of 1 / n^2, of n's own parity, within n, and grows with the output.
    """
    if output.shape[1] > 1 or len(output) < rows or rows < 8:
        return None
    counts = gradient[:, 0] * rows * rows
    whole = np.round(counts)
    if np.abs(counts - whole).max() > 0.01 or np.abs(whole).max() > rows:
        return None
    ranked = whole[np.argsort(output[:, 0], kind="stable")]
    if ((whole - rows) % 2).any() or (np.diff(ranked) < 0).any() or len(set(ranked)) < 3:
        return None
    return LossView(Loss.ABSOLUTE_ERROR, 1.0, broadcast=True)


def squared_error(
    output: Matrix, gradient: Matrix, rows: int, loss: float, square: float
) -> LossView | None:
    """Loss k sum (z - y)^2 has the slope 2 k (z - y), so k = sum slope^2 / (4 loss)."""
    if not (math.isfinite(loss) and loss > 0):
        return None
    elements = rows * output.shape[1]
    factor = square / (4 * loss)
    for usual in factors(output, rows):
        for k in (usual, usual / 2):  # half the square is written as often
            if abs(factor / k - 1) <= 5e-3:
                return LossView(Loss.SQUARED_ERROR, k * elements, output - gradient / (2 * k))
    mean = output - gradient * elements / 2
    # Outputs that are all the same tell nothing: rows without a gradient have been left out.
    alike = (
        len(output) > 2 and np.ptp(output) > 0 and np.ptp(mean) <= CLOSE * (np.ptp(output) + 1e-30)
    )
    variance = loss - np.square(output - mean).mean()
    if alike and output.size == elements and variance > 0:
        # (z_i - y_j)^2 over all i and j: each output is drawn to the mean of all targets, and the
        # loss is larger by their variance.
        targets = mean.mean() + math.sqrt(variance) * np.array([[-1.0], [1.0]])
        return LossView(Loss.SQUARED_ERROR, 1.0, targets, broadcast=True)
    return None
