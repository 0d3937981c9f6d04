"""A cross-entropy of outputs that are divided by a temperature: k / T (softmax(z / T) - onehot(y)).

Of classes that are no target the logarithms of the slopes differ as z / T does, so T is read off.
Two classes have but one of them in each sample: there k has to be that of a mean, and the loss what
it comes to.
"""

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.losses.classification_loss import softmax
from layerscope.diagnose.losses.loss_factors import CLOSE, alike, near
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix

_SMALL = 1e-5
"""Of a row's slopes: smaller ones are rounding."""

_SURE = 1e-3
"""Of the largest slope: a row with less is all but certain, and its slopes are rounding."""

_ENOUGH = 8
"""Samples: of fewer the slopes may fit by chance."""

_FLAT = 5.0
"""Of two classes: below, the loss is too much like others to be told by its value."""

_LEAST, _MOST = 1e-4, 1e6
"""Temperatures: beyond, they are read off rounding."""

_ROUNDS = 50


def tempered(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """Tell it, and its temperature.

    Arguments as of `view_loss`, of samples that have a gradient.
    """
    size = np.abs(gradient).max(1)
    told = size > _SURE * size.max()
    loss = loss if told.all() else np.nan
    output, gradient = output[told], gradient[told]
    every, target = np.arange(len(output)), gradient.argmin(1)
    if len(output) < _ENOUGH or output.shape[1] < 2 or not (gradient[every, target] < 0).all():
        return None
    if not (np.abs(gradient.sum(1)) <= CLOSE * np.abs(gradient).sum(1)).all():
        return None
    if output.shape[1] == 2:
        t = _of_two_classes(output, gradient, target, rows, loss)
    else:
        t = _of_slopes(output, gradient, target)
    if t is None or not _LEAST < t < _MOST:
        return None
    p = softmax(output / t)
    factor = -gradient[every, target] / (1 - p[every, target])
    expected = p * factor[:, None]
    expected[every, target] -= factor
    if not alike(factor) or np.abs(expected - gradient).max() > CLOSE * np.abs(gradient).max():
        return None
    reduction = float(np.median(factor)) * t * rows
    if t > 1 and not any(near(reduction, usual) for usual in (1.0, rows)):  # the slopes are alike
        return None
    labels = target[:, None].astype(np.float64)
    return LossView(Loss.CROSS_ENTROPY, reduction, labels, temperature=t)


def _of_slopes(output: Matrix, gradient: Matrix, target: npt.NDArray[np.intp]) -> float | None:
    """T by least squares: of classes that are no target, the logarithms of the slopes differ as
    z / T does. None where too few samples have two such classes, or they differ the other way.
    """
    known = gradient > _SMALL * -gradient[np.arange(len(output)), target][:, None]
    known[known.sum(1) < 2] = False
    if known.any(1).sum() < _ENOUGH:
        return None
    count = np.maximum(known.sum(1, keepdims=True), 1)
    slopes = np.log(np.where(known, gradient, 1))
    z, slopes = (
        np.where(known, each - (np.where(known, each, 0).sum(1, keepdims=True) / count), 0)
        for each in (output, slopes)
    )
    inverse = float((z * slopes).sum() / max(np.square(z).sum(), 1e-300))
    return 1 / inverse if inverse > 0 else None


def _of_two_classes(
    output: Matrix, gradient: Matrix, target: npt.NDArray[np.intp], rows: int, loss: float
) -> float | None:
    """T of a mean over the rows, each of whose slopes is 1 / (T (1 + exp(margin / T))), solved for
    1 / T round by round. None where T is too small to be told, or the loss is another.
    """
    every = np.arange(len(output))
    margin = output[every, target] - output[every, 1 - target]
    slope = -gradient[every, target] * rows
    inverse = 0.0
    for _ in range(_ROUNDS):
        before = inverse
        inverse = float(np.median(slope * (1 + np.exp(np.clip(margin * inverse, -60, 60)))))
        if inverse > 1 / _FLAT or abs(inverse - before) < 1e-9 * inverse:
            break
    if not 0 < inverse < 1 / _FLAT or len(output) != rows:
        return None
    expected = np.logaddexp(0, -margin * inverse).mean()
    return 1 / inverse if abs(loss - expected) <= CLOSE * expected else None
