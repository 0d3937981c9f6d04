"""A binary cross-entropy, told by its gradient on the output."""

import math

import numpy as np

from layerscope.diagnose.losses.loss_factors import CLOSE, factors
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix

_SURE = 2.2
"""A logit: its sigmoid is 0.9."""

_LARGEST = 2.0**22
"""Of the targets that a slope tells of."""

_TELLING = 0.3
"""A logit, whose square shows in a loss's value."""

_ROUNDED = 1e-5
"""Of what is added up: what float32 leaves of a sum that is 0."""


def binary_logits(output: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    """One that takes logits."""
    p = 1 / (1 + np.exp(-np.clip(output, -60, 60)))
    return _binary_of(p, gradient, rows, Loss.BINARY_LOGITS)


def binary_of_sure(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """One that takes logits that are all sure, right or wrong, and is a mean over them: told by its
    value. A mean of large outputs, as of a likelihood that the network computes itself, has the
    slopes of one whose targets are all 0, and all but its value: it is none.

    Arguments as of `view_loss`, of all samples, those without a gradient too.
    """
    if np.abs(output).min() < _SURE:
        return None
    p = 1 / (1 + np.exp(-np.clip(output, -60, 60)))
    y = p - gradient * rows * output.shape[1]
    if np.abs(y - np.round(y)).max() > 5e-3:
        return None
    y = np.round(y)
    expected = (np.logaddexp(0, output) - y * output).mean()
    if y.min() < 0 or y.max() > 1 or not abs(loss - expected) <= CLOSE * max(expected, 1):
        return None
    mean = (1 - 2 * y[0, 0]) * output.mean()
    if y.min() == y.max() and abs(loss - mean) <= CLOSE * max(expected, 1):
        return None
    return LossView(Loss.BINARY_LOGITS, 1.0, y)


def binary_of_sure_shares(
    output: Matrix, gradient: Matrix, rows: int, loss: float
) -> LossView | None:
    """One that takes probabilities that are all sure, right or wrong, and is a mean over them: told
    by its value. torch cuts its logarithms off at -100, and the divisor of its slope at 1e-12.

    Arguments as of `view_loss`, of all samples, those without a gradient too.
    """
    if not ((output >= 0) & (output <= 1)).all() or not loss > 0:
        return None
    y = output - gradient * rows * output.shape[1] * np.fmax(output * (1 - output), 1e-12)
    if np.abs(y - np.round(y)).max() > 5e-3 or y.min() < -0.5 or y.max() > 1.5:
        return None
    y = np.round(y)
    wrong = np.where(y > 0, output, 1 - output)
    expected = -np.fmax(np.log(np.where(wrong > 0, wrong, np.exp(-101.0))), -100).mean()
    if not abs(loss - expected) <= CLOSE * max(expected, 1):
        return None
    return LossView(Loss.BINARY, 1.0, y)


def binary(output: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    """One that takes probabilities."""
    if not ((output >= 0) & (output <= 1)).all():
        return None
    return _binary_of(output, gradient * output * (1 - output), rows, Loss.BINARY)


def binary_of_clipped(output: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    """One that takes probabilities, and cuts off (`clamp`) those that are none: these have no
    gradient at all.
    """
    beyond = (output < 0) | (output > 1)
    if not beyond.any() or gradient[beyond].any() or beyond.all():
        return None
    inside = ~beyond & (gradient != 0)
    p, slope = output[inside][:, None], gradient[inside][:, None]
    return binary(p, slope, rows * output.shape[1]) or binary(p, slope, rows)


def _binary_of(p: Matrix, slope: Matrix, rows: int, kind: Loss) -> LossView | None:
    """Binary cross-entropy: d loss / d logit = k (p - y), with y a whole number."""
    # Elsewhere p is nearly a whole number itself, and a constant slope times p (1 - p) is, too.
    told = (p > 0.1) & (p < 0.9)
    for factor in factors(p, rows):
        y = p - slope / factor
        far = np.abs(y - 0.5) > 1  # from what p is nearly
        if (told | far if kind is Loss.BINARY else told).sum() < min(3, p.size):
            continue
        if np.abs(y - np.round(y))[told | far].max() <= 5e-3 and np.abs(y).max() < 1000:
            return LossView(kind, factor * rows * p.shape[1], np.round(y))
    return None


def binary_of_soft_targets(
    output: Matrix, gradient: Matrix, rows: int, loss: float
) -> LossView | None:
    """UNKNOWN for a binary cross-entropy with targets between 0 and 1, such as an image's pixels.

    Any slope may be one: what tells is that the cross-entropy with the targets that it would have
    makes most of the loss. A squared error is far below that. The targets are told of shares that
    add up to 1 in each row, where that is all of the loss: theirs have to.
    """
    if not (((output >= 0) & (output <= 1)).all() and loss > 0):
        return None
    p = np.clip(output, 1e-7, 1 - 1e-7)
    for factor in factors(output, rows):
        y = p - gradient * p * (1 - p) / factor
        if y.min() < -CLOSE or y.max() > 1 + CLOSE:
            continue
        mean = -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean()
        part = mean * factor * rows * output.shape[1] / loss
        if 0.5 < part < 1.2:  # beside a divergence, say; of a sample of the rows
            ends = abs(part - 1) < CLOSE and np.abs(output.sum(1) - 1).max() < CLOSE
            return LossView(Loss.UNKNOWN, targets=y if ends and output.shape[1] > 2 else None)
    return None


def binary_of_values(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """One, of logits or of probabilities, with targets of any values, some not between 0 and 1: it
    is told by its value, which these targets would give. Not by outputs that are all next to 0: of
    any loss that begins at chance the value is then what its slopes make of it.
    """
    if not math.isfinite(loss) or _adds_up_to_nothing(gradient):
        return None
    p = 1 / (1 + np.exp(-np.clip(output, -60, 60)))
    of_shares = (Loss.BINARY, output, gradient * output * (1 - output))
    for kind, share, slope in ((Loss.BINARY_LOGITS, p, gradient), of_shares):
        if not 0 < share.min() <= share.max() < 1:
            continue
        # -k sum of y log p + (1 - y) log(1 - p), with y = p - slope / k
        rest = np.log1p(-share)
        logit = np.log(share) - rest
        if np.abs(logit).max() < _TELLING:
            continue
        from_shares, from_slopes = (rest + share * logit).sum(), (slope * logit).sum()
        for factor in factors(output, rows):
            off = abs(from_slopes - factor * from_shares - loss)
            if not off <= CLOSE / 4 * max(abs(loss), 0.1):
                continue
            y = share - slope / factor
            # Beside targets of more nothing is left of a share in float32: slopes that divide by
            # next to nothing add up to such a loss, whatever it is.
            if 0.1 < max(-y.min(), y.max() - 1) < _LARGEST:
                return LossView(kind, factor * rows * p.shape[1], y)
    return None


def _adds_up_to_nothing(gradient: Matrix) -> bool:
    """Whether the slopes of each sample do, as behind a softmax, or those of all together, as where
    only differences of outputs count (Burges et al. 2005, RankNet): those of a binary cross-entropy
    would if the targets had, in each batch anew, just the mean of the shares.
    """
    rests, sizes = np.abs(gradient.sum(1)), np.abs(gradient).sum(1)
    of_each = gradient.shape[1] > 1 and bool((rests <= CLOSE * sizes).all())
    return of_each or bool(abs(gradient.sum()) <= _ROUNDED * sizes.sum())
