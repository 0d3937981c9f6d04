"""From a network's output and the loss's gradient on it: which loss it is, and of which targets.

The gradient of a loss with respect to the output says what the loss compares it with. For a
cross-entropy on logits z it is k (softmax(z) - onehot(y)), for a binary one k (sigmoid(z) - y), for
squared errors 2 k (z - y) (Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.6:
"prediction minus target" for each canonical link). So targets, classes and reduction are read off,
whatever the code of the loss looks like, and wherever it stands.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.loss_kind import Loss, LossView, Matrix

_NEVER_NEGATIVE = (Loss.CROSS_ENTROPY, Loss.BINARY_LOGITS, Loss.BINARY, Loss.SQUARED_ERROR)
"""And are told by more than the sign of a slope: a critic's mean has one too."""

_NEGATIVE_BY_TARGETS = (
    *(Loss.LOG_LIKELIHOOD, Loss.LOG_OF_OUTPUT, Loss.BINARY_LOGITS, Loss.BINARY),
)
"""Losses that targets of the wrong kind bring below 0."""


_CLOSE = 2e-3
"""Relative: float32's rounding, and a sample of the rows where the batch is large."""


def view_loss(output: Matrix, gradient: Matrix, rows: int, loss: float, square: float) -> LossView:
    """Tell the loss by its gradient on the output.

    Args:
        output: [n, outputs], some or all samples of a batch; the classes along the last axis.
        gradient: d loss / d output, of the same samples; rows of zeros are samples that the loss
            leaves out.
        rows: how many samples the batch has.
        loss: its value; NaN if unknown.
        square: sum of the squares of the gradient of all samples.
    """
    view = _view(output, gradient, rows, loss, square)
    if loss < 0 and view.kind not in _NEGATIVE_BY_TARGETS:
        turned = _view(output, -gradient, rows, -loss, square)
        if turned.kind in _NEVER_NEGATIVE and math.isfinite(turned.reduction):
            return replace(turned, negated=True)
    return view


def _view(output: Matrix, gradient: Matrix, rows: int, loss: float, square: float) -> LossView:
    finite = np.isfinite(output).all(1) & np.isfinite(gradient).all(1)
    known = finite & gradient.any(1)
    if not known.any():
        return LossView(Loss.UNKNOWN)
    if output.shape[1] > 1:
        if known.all():
            found, certain = _of_classes(output, gradient, rows), None
        else:
            # A row that is certain of its target has no gradient either, and is no padding.
            certain = finite & ~known & (_softmax(output).max(1) > 1 - 1e-5)
            count = max(round(rows * (known | certain).mean()), 1)
            found = _of_classes(output[known], gradient[known], count)
        if found is not None:
            if certain is None or found.targets is None or found.kind is not Loss.CROSS_ENTROPY:
                return found
            sure = output[certain].argmax(1)[:, None].astype(np.float64)
            return replace(found, targets=np.concatenate([found.targets, sure]))
    pairs = _absolute_error_of_pairs(output, gradient, rows)
    output, gradient = output[known], gradient[known]
    rows = max(round(rows * known.mean()), 1)  # of those that count
    found = _binary_logits(output, gradient, rows) or _binary(output, gradient, rows)
    return (
        found
        or _absolute_error(output, gradient, rows, loss)
        or _binary_of_shares(output, gradient, rows, loss)
        or _squared_error(output, gradient, rows, loss, square)
        or pairs
        or LossView(Loss.UNKNOWN)
    )


def _softmax(output: Matrix) -> Matrix:
    shifted = np.exp(output - output.max(1, keepdims=True))
    p: Matrix = shifted / shifted.sum(1, keepdims=True)
    return p


def _of_classes(output: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    """A loss whose targets are class numbers."""
    size = np.abs(gradient).sum(1)
    target = gradient.argmin(1)
    every = np.arange(len(output))
    if not (gradient[every, target] < 0).all():
        return None
    if ((gradient != 0).sum(1) == 1).all():
        at = -gradient[every, target]
        targets = target[:, None].astype(np.float64)
        # k at the target's place, or k / p there: equal parts, or in proportion to 1 / output.
        if _alike(at):
            return LossView(Loss.LOG_LIKELIHOOD, float(np.median(at)) * rows, targets)
        scaled = at * output[every, target]
        if (scaled > 0).all() and _alike(scaled):
            return LossView(Loss.LOG_OF_OUTPUT, float(np.median(scaled)) * rows, targets)
        return None
    if not (np.abs(gradient.sum(1)) <= _CLOSE * size).all():
        return None
    p = _softmax(output)
    sure = 1 - p[every, target]
    told = sure > 1e-4  # a row that is certain tells nothing
    if not told.any():  # a solved task: the targets are what the network says
        return LossView(Loss.CROSS_ENTROPY, math.nan, target[:, None].astype(np.float64))
    factor = np.where(told, -gradient[every, target] / np.where(told, sure, 1), np.nan)
    expected = p * factor[:, None]
    expected[every, target] -= factor
    off = np.abs(expected - gradient)[told].max(1)
    if not (off <= _CLOSE * size[told]).all():
        return _of_smoothed_classes(p, gradient, rows)
    if output.shape[1] == 2 and not _have_factor(factor[told], target[told], rows):
        return None
    reduction = float(np.median(factor[told])) * rows
    return LossView(Loss.CROSS_ENTROPY, reduction, target[:, None].astype(np.float64))


def _have_factor(factors: Matrix, targets: npt.NDArray[np.intp], rows: int) -> bool:
    """Whether samples of two classes share the factor of their class, or have a usual one.

    Of two outputs any slopes that add up to 0 are k (p - y) with some k, as those of an agent's
    return: only that k is no chance says that it is a cross-entropy.
    """
    classes = (factors[targets == each] for each in np.unique(targets))
    return all(
        _alike(own) if len(own) > 1 else any(_near(own[0], usual) for usual in (1.0, 1 / rows))
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
        if 0 < smoothing < 1 and np.abs(expected - targets).max() <= _CLOSE:
            labels = target[:, None].astype(np.float64)
            return LossView(Loss.CROSS_ENTROPY, factor * rows, labels, smoothing=smoothing)
    return None


def _factors(output: Matrix, rows: int) -> tuple[float, ...]:
    """The usual factors before a loss that is added up over elements: mean, batch mean, sum."""
    outputs = output.shape[1]
    return tuple(dict.fromkeys((1 / (rows * outputs), 1 / rows, 1 / outputs, 1.0)))


def _binary_logits(output: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    p = 1 / (1 + np.exp(-np.clip(output, -60, 60)))
    return _binary_of(p, gradient, rows, Loss.BINARY_LOGITS)


def _binary(output: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    if not ((output >= 0) & (output <= 1)).all():
        return None
    return _binary_of(output, gradient * output * (1 - output), rows, Loss.BINARY)


def _binary_of(p: Matrix, slope: Matrix, rows: int, kind: Loss) -> LossView | None:
    """Binary cross-entropy: d loss / d logit = k (p - y), with y a whole number."""
    # Elsewhere p is nearly a whole number itself, and a constant slope times p (1 - p) is, too.
    told = (p > 0.1) & (p < 0.9)
    if told.sum() < min(3, p.size):
        return None
    for factor in _factors(p, rows):
        y = p - slope / factor
        if np.abs(y - np.round(y))[told].max() <= 5e-3 and np.abs(y).max() < 1000:
            return LossView(kind, factor * rows * p.shape[1], np.round(y))
    return None


def _binary_of_shares(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """UNKNOWN for a binary cross-entropy with targets between 0 and 1, such as an image's pixels.

    Any slope may be one: what tells is that the cross-entropy with the targets that it would have
    makes most of the loss. A squared error is far below that.
    """
    if not (((output >= 0) & (output <= 1)).all() and loss > 0):
        return None
    p = np.clip(output, 1e-7, 1 - 1e-7)
    for factor in _factors(output, rows):
        y = p - gradient * p * (1 - p) / factor
        if y.min() < -_CLOSE or y.max() > 1 + _CLOSE:
            continue
        mean = -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean()
        part = mean * factor * rows * output.shape[1] / loss
        if 0.5 < part < 1.2:  # beside a divergence, say; of a sample of the rows
            return LossView(Loss.UNKNOWN)
    return None


def _absolute_error(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """Each element's slope is k or -k; targets are known only on average, from the loss."""
    size = np.abs(gradient[gradient != 0])
    elements = rows * output.shape[1]
    if len(size) < 2 or not _alike(size):
        return None
    factor = float(np.median(size))
    if not any(_near(factor, usual) for usual in _factors(output, rows)):
        return None
    mean_error = loss / (factor * elements)
    targets = output - np.sign(gradient) * mean_error if math.isfinite(loss) else None
    return LossView(Loss.ABSOLUTE_ERROR, factor * elements, targets)


def _absolute_error_of_pairs(output: Matrix, gradient: Matrix, rows: int) -> LossView | None:
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


def _squared_error(
    output: Matrix, gradient: Matrix, rows: int, loss: float, square: float
) -> LossView | None:
    """Loss k sum (z - y)^2 has the slope 2 k (z - y), so k = sum slope^2 / (4 loss)."""
    if not (math.isfinite(loss) and loss > 0):
        return None
    elements = rows * output.shape[1]
    factor = square / (4 * loss)
    for usual in _factors(output, rows):
        for k in (usual, usual / 2):  # half the square is written as often
            if abs(factor / k - 1) <= 5e-3:
                return LossView(Loss.SQUARED_ERROR, k * elements, output - gradient / (2 * k))
    mean = output - gradient * elements / 2
    # Outputs that are all the same tell nothing: rows without a gradient have been left out.
    alike = (
        len(output) > 2 and np.ptp(output) > 0 and np.ptp(mean) <= _CLOSE * (np.ptp(output) + 1e-30)
    )
    variance = loss - np.square(output - mean).mean()
    if alike and output.size == elements and variance > 0:
        # (z_i - y_j)^2 over all i and j: each output is drawn to the mean of all targets, and the
        # loss is larger by their variance.
        targets = mean.mean() + math.sqrt(variance) * np.array([[-1.0], [1.0]])
        return LossView(Loss.SQUARED_ERROR, 1.0, targets, broadcast=True)
    return None


def _alike(values: Matrix) -> bool:
    middle = np.median(values)
    return bool(np.abs(values - middle).max() <= _CLOSE * middle)


def _near(value: float, other: float) -> bool:
    return abs(value / other - 1) <= _CLOSE
