"""A loss whose targets are class numbers, told by its gradient on the output."""

import math

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.losses.loss_factors import CLOSE, alike, near
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix

_MOST = 0.8
"""Share of the rows: those with all targets of 1 do not tell."""

_FEWEST = 3
"""Rows of two outputs: any one row may be that of a smoothed label."""

_SMOOTHED = 0.2
"""By how much of it smoothed labels, whose other targets are above 0, change a slope."""


def softmax(output: Matrix) -> Matrix:
    """Of each row."""
    shifted = np.exp(output - output.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


_FLOOR = 1e-6
"""Of what a logarithm is taken, floors under it are far below."""


def log_of_sum(output: Matrix) -> Matrix:
    """Log of the sum of exp(output), of each row: `np.logaddexp.reduce`, several times as fast."""
    largest = output.max(1)
    largest = np.where(np.isfinite(largest), largest, 0)
    return largest + np.log(np.exp(output - largest[:, None]).sum(1))


def classification_loss(
    output: Matrix, gradient: Matrix, rows: int, loss: float = math.nan
) -> LossView | None:
    """A loss whose targets are class numbers.

    Args:
        loss: its value, which tells -log p from -p where all p are the same; NaN if unknown.
    """
    size = np.abs(gradient).sum(1)
    target = gradient.argmin(1)
    every = np.arange(len(output))
    if not (gradient[every, target] < 0).all():
        return None
    if ((gradient != 0).sum(1) == 1).all():
        at = -gradient[every, target]
        targets = target[:, None].astype(np.float64)
        # k at the target's place, or k / p there: equal parts, or in proportion to 1 / output.
        scaled = at * output[every, target]
        # A floor under the logarithm, log(p + 1e-9), takes from the gradient where p is less.
        shown = output[every, target] > _FLOOR
        of_output = bool((scaled > 0).all()) and 2 * shown.sum() > len(shown)
        of_output = of_output and alike(scaled[shown])
        if alike(at) and not (of_output and loss > 0):  # minus what is above 0 is below it
            return LossView(Loss.LOG_LIKELIHOOD, float(np.median(at)) * rows, targets)
        if of_output:
            return LossView(Loss.LOG_OF_OUTPUT, float(np.median(scaled[shown])) * rows, targets)
        return None
    if (shares := _of_shares(output, gradient, rows)) is not None:
        return shares
    p = softmax(output)
    sure = 1 - p[every, target]
    told = sure > 1e-4  # a row that is certain tells nothing: its gradient is rounding
    if not (np.abs(gradient.sum(1)) <= CLOSE * size)[told if told.any() else every].all():
        return None
    if not told.any():  # a solved task: the targets are what the network says
        return LossView(Loss.CROSS_ENTROPY, math.nan, target[:, None].astype(np.float64))
    factor = np.where(told, -gradient[every, target] / np.where(told, sure, 1), np.nan)
    expected = p * factor[:, None]
    expected[every, target] -= factor
    off = np.abs(expected - gradient)[told].max(1)
    if not (off <= CLOSE * size[told]).all():
        return _of_smoothed_classes(p, gradient, rows) or _of_several(p, gradient, rows)
    if output.shape[1] == 2 and not _have_factor(factor[told], target[told], rows):
        return _of_smoothed_classes(p, gradient, rows) if len(p) >= _FEWEST else None
    reduction = float(np.median(factor[told])) * rows
    labels = target[:, None].astype(np.float64)
    return LossView(Loss.CROSS_ENTROPY, reduction, labels, weights=factor)


def _of_shares(output: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    """-log(z_y / sum z): its slope is k / sum z, and k / z_y less at the target's place.

    Both may be below 0, as those of logits: their quotient is a share all the same. The target is
    where the slope differs from the others'; of two, where it goes down.
    """
    every, classes, total = np.arange(len(output)), output.shape[1], output.sum(1)
    if classes < 2 or (classes == 2 and output.min() < 0):
        return None
    if classes > 3:  # most losses are told by the first row that they are none of these
        others = np.sort(gradient[0])[1:-1]
        if others[-1] - others[0] > 4 * CLOSE * np.abs(others).max():
            return None
    apart = np.abs(gradient - np.median(gradient, axis=1, keepdims=True))
    target = apart.argmax(1) if classes > 2 else gradient.argmin(1)
    at, down = output[every, target], gradient[every, target]
    rest = (gradient.sum(1) - down) / (classes - 1)
    if not ((at * total > 0) & (rest * total > 0)).all():
        return None
    expected = np.repeat(rest[:, None], classes, axis=1)
    expected[every, target] = down
    factors = np.concatenate([rest * total, (rest - down) * at])
    if not alike(factors) or not (factors > 0).all():
        return None
    if not (np.abs(expected - gradient).max(1) <= CLOSE * np.abs(rest)).all():
        return None
    targets = target[:, None].astype(np.float64)
    return LossView(Loss.LOG_OF_SHARE, float(np.median(factors)) * rows, targets)


def _have_factor(factors: Matrix, targets: npt.NDArray[np.intp], rows: int) -> bool:
    """Whether samples of two classes share the factor of their class, or have a usual one.

    Of two outputs any slopes that add up to 0 are k (p - y) with some k, as those of an agent's
    return: only that k is no chance says that it is a cross-entropy.
    """
    classes = (factors[targets == each] for each in np.unique(targets))
    return all(
        alike(own) if len(own) > 1 else any(near(own[0], usual) for usual in (1.0, 1 / rows))
        for own in classes
    )


def _of_smoothed_classes(p: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    """Each target is 1 - a for one class and a / classes more for all (Szegedy et al. 2016, 7)."""
    every, classes = np.arange(len(p)), p.shape[1]
    for factor in (1 / rows, 1.0):
        targets = p - gradient / factor
        target = targets.argmax(1)
        smoothing = float(np.median(targets.min(1))) * classes
        expected = np.full(p.shape, smoothing / classes)
        expected[every, target] += 1 - smoothing
        # Beside targets that are nearly all alike, any slopes are small.
        left = 1 - smoothing
        if 0 < smoothing < 1 and np.abs(expected - targets).max() <= CLOSE * left:
            labels = target[:, None].astype(np.float64)
            return LossView(Loss.CROSS_ENTROPY, factor * rows, labels, smoothing=smoothing)
    return None


def _of_several(p: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    """Several targets of 1 in a row: d loss / d logit = k (sum(y) p - y).

    Where y is 0 that is k sum(y) p, and so it is told in rows that have such a place. Halves of two
    classes, as of mixed pictures, have half of that slope: theirs add up to 1.
    """
    slope = np.where(p > 1e-4, gradient / p, -np.inf).max(1, keepdims=True)  # k sum(y)
    if any(np.abs(slope / usual - 1).max() < _SMOOTHED for usual in (1.0, 1 / rows)):
        return None
    y = slope * p - gradient
    factor = float(np.median(y.max(1)))
    if not factor > 0:
        return None
    y /= factor
    targets = np.round(y)
    fits = (np.abs(y - targets) <= 2 * CLOSE).all(1) & (np.abs(targets - 0.5) == 0.5).all(1)
    fits &= np.abs(slope[:, 0] / factor - targets.sum(1)) <= 2 * CLOSE * p.shape[1]
    if fits.mean() < _MOST or not (targets[fits].sum(1) > 1).any():
        return None
    return LossView(Loss.SEVERAL_CLASSES, factor * rows, targets[fits])
