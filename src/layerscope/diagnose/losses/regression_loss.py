"""A squared or absolute error, told by its gradient on the output."""

import math
from dataclasses import replace

import numpy as np

from layerscope.diagnose.losses.loss_factors import CLOSE, alike, factors, near
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix

_LEFT = 64.0
"""Times what is rounded: less than that is no target."""
_TINY = 0.01
"""Targets that may be 0, as long as outputs are below 1,000."""
_EXACT = 1e-4
_SCALED = 10
"""Powers of two, at least, that a gradient scaler multiplies by: it begins with 16."""
_PAIRS = 16
"""Samples: of so many the outputs are in the order of their slopes by chance in 1 of 10^13."""


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
    bits = (gradient < 0).astype(np.float64)
    if output.min() >= 0 and output.max() <= 1 and near(np.abs(output - bits).mean(), mean_error):
        targets = bits  # labels of 0 and 1, each as far off as it says
    return LossView(Loss.ABSOLUTE_ERROR, factor * elements, targets)


def _unless_rounded(targets: Matrix, output: Matrix) -> Matrix | None:
    """Targets that are a difference of two numbers near the output; None if little is left of them
    but what was rounded: beside outputs of 10^10, those of a training that diverges, targets of 1
    are lost.
    """
    rounded = float(np.finfo(np.float32).eps) * np.abs(output).max()
    return targets if max(np.abs(targets).max(), _TINY) > _LEFT * rounded else None


def within_range(view: LossView, output: Matrix, low: float, high: float) -> LossView:
    """The same, its targets within the output's range where they may all lie there.

    Of an absolute error they are known on average only: those above the output lie one mean error
    above it. They may be within if that error is no larger than what is left of the range.

    Args:
        output: [n, outputs], that it was told by.
        low, high: between which the output's last function leaves it.
    """
    targets = view.targets
    if view.kind is not Loss.ABSOLUTE_ERROR or targets is None or targets.shape != output.shape:
        return view
    beyond = np.where(targets > output, targets - high, low - targets).mean()
    if beyond > CLOSE * np.abs(targets - output).mean():
        return view
    return replace(view, targets=np.clip(targets, low, high))


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


def smooth_error_of_pairs(output: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    """A Huber loss (Huber 1964) of z_i - y_j over all i and j: a slope is the mean of n differences
    that are cut off at d, so it grows with the output, by less than that does, and whatever the own
    target of a sample is. Elsewhere each target pulls at its own output, and no order is left.
    """
    if output.shape[1] > 1 or len(output) < rows or rows < _PAIRS:
        return None
    order = np.argsort(output[:, 0], kind="stable")
    z, slope = output[order, 0], gradient[order, 0] * rows
    apart = np.diff(z) > 1e-3 * np.ptp(z)
    steep = np.diff(slope)[apart] / np.diff(z)[apart]
    if len(steep) < _PAIRS / 2 or not (steep > -CLOSE).all() or not (steep < 1 + CLOSE).all():
        return None
    partly = (steep > 0.05) & (steep < 0.95)
    p = 1 / (1 + np.exp(-z))
    of_one_target = np.ptp(np.ptp(slope) / np.ptp(p) * p - slope) < CLOSE  # as a critic's label
    if partly.mean() < 0.5 or np.ptp(steep[partly]) < 0.02 or of_one_target:
        return None
    return LossView(Loss.ABSOLUTE_ERROR, 1.0, broadcast=True)


def _is_multiple(targets: Matrix, output: Matrix) -> bool:
    """Whether targets are the outputs times a number: then the loss has a term of the outputs'
    squares alone, as that of a normal density (Dinh et al. 2014, NICE), and its other terms happen
    to make it as large as an error would be. Targets of 0 may be meant.
    """
    if output.size < _PAIRS:
        return False
    times = float((targets * output).sum() / max(np.square(output).sum(), 1e-300))
    return abs(times) > CLOSE and _rms(targets - times * output) <= CLOSE * _rms(targets)


def _rms(values: Matrix) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(values).mean()))


def _scaled(output: Matrix, gradient: Matrix, factor: float, elements: int) -> LossView | None:
    """The mean of squares, or half of it, whose slopes have a gradient scaler's factor, a power of
    two: the sum of their squares has it twice, and the loss has it not.
    """
    for k in (1 / elements, 0.5 / elements):
        times = math.sqrt(factor / k) if factor > 0 else 1.0
        if not math.isfinite(times):  # the squares of the slopes have overflowed
            return None
        power = round(math.log2(times))
        if power >= _SCALED and abs(times / 2.0**power - 1) <= _EXACT:
            targets = _unless_rounded(output - gradient / (2 * k * 2.0**power), output)
            return LossView(Loss.SQUARED_ERROR, 2.0**power * k * elements, targets)
    return None


def squared_error_of_far_targets(
    output: Matrix, gradient: Matrix, rows: int, loss: float, square: float
) -> LossView | None:
    """One that fits to rounding, with targets that are no shares. Any slopes may be those of a
    cross-entropy of shares, too, with some other factor.
    """
    view = squared_error(output, gradient, rows, loss, square, within=_EXACT)
    if view is None or view.targets is None or view.broadcast:
        return None
    return view if max(-view.targets.min(), view.targets.max() - 1) > CLOSE else None


def squared_error(
    output: Matrix, gradient: Matrix, rows: int, loss: float, square: float, within: float = 5e-3
) -> LossView | None:
    """Loss k sum (z - y)^2 has the slope 2 k (z - y), so k = sum slope^2 / (4 loss).

    Args:
        output, gradient: of some samples.
        rows: how many the batch has.
        square: sum of the squares of the gradient of all samples.
        within: how far from a usual factor that may be.
    """
    if not (math.isfinite(loss) and loss > 0):
        return None
    elements = rows * output.shape[1]
    factor = square / (4 * loss)
    for usual in factors(output, rows):
        for k in (usual, usual / 2):  # half the square is written as often
            if abs(factor / k - 1) <= within:
                targets = _unless_rounded(output - gradient / (2 * k), output)
                if targets is not None and _is_multiple(targets, output):
                    return None
                return LossView(Loss.SQUARED_ERROR, k * elements, targets)
    if (scaled := _scaled(output, gradient, factor, elements)) is not None:
        return scaled
    mean = output - gradient * elements / 2
    # Outputs that are all the same tell nothing: rows without a gradient have been left out.
    alike = (
        len(output) > 2 and np.ptp(output) > 0 and np.ptp(mean) <= CLOSE * (np.ptp(output) + 1e-30)
    )
    variance = loss - np.square(output - mean).mean()
    # Drawn to 0 they are by a square of their own, too, beside which the loss has other terms.
    alike = alike and abs(float(mean.mean())) > _EXACT * _rms(output)
    if alike and output.size == elements and variance > 0:
        # (z_i - y_j)^2 over all i and j: each output is drawn to the mean of all targets, and the
        # loss is larger by their variance.
        targets = mean.mean() + math.sqrt(variance) * np.array([[-1.0], [1.0]])
        return LossView(Loss.SQUARED_ERROR, 1.0, targets, broadcast=True)
    return None
