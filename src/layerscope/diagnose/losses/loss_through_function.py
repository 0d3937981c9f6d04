"""A loss that gets the output through a softmax or sigmoid of the training loop.

The chain rule, backwards: of p = softmax(z) the slope of z_j is p_j (r_j - sum of p r), with r the
slopes of p. So r is known but for a constant of each sample; of a sigmoid it is known whole. From
there on a loss is told as if p were the network's output.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.losses.binary_cross_entropy import binary_logits
from layerscope.diagnose.losses.classification_loss import classification_loss, softmax
from layerscope.diagnose.losses.loss_factors import CLOSE, factors, near
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix

_SURE = 1e-3
"""Of a smaller share, or of the rest of a larger one, the slope is rounding."""

_TEMPERATURES = (2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 20.0)

_STEEP = 1e-2
"""A slope of the function that leaves its input's slope to be told."""

_ENOUGH = 8
"""Samples: of fewer a slope may fit by chance."""


def through_softmax(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """A cross-entropy, or a likelihood without its logarithm, of a softmax of the output.

    Arguments as of `view_loss`, of samples that have a gradient.
    """
    p = softmax(output)
    told = p.min(1) > _SURE
    if output.shape[1] < 2 or told.sum() < _ENOUGH:
        return None
    p, slopes = p[told], gradient[told] / p[told]
    found = classification_loss(p, slopes - slopes.mean(1, keepdims=True), rows)
    if (
        found is not None
        and found.kind is Loss.CROSS_ENTROPY
        and any(near(found.reduction, usual) for usual in (1.0, rows))  # of another loss by chance
    ):
        return replace(found, activated=True)
    return _likelihood(p, slopes, rows, loss) if loss < 0 else None


def through_tempered_softmax(
    output: Matrix, gradient: Matrix, rows: int, loss: float
) -> LossView | None:
    """The same of a softmax with a temperature, as in distillation, of a loss below 0: with or
    without the square of the temperature before it (Hinton et al. 2015, section 2).
    """
    if not loss < 0:
        return None
    for t in _TEMPERATURES:
        for factor in (1.0, t * t):
            found = through_softmax(output / t, gradient * t / factor, rows, loss / factor)
            if found is not None and found.kind is Loss.LOG_LIKELIHOOD:
                return found
    return None


def _likelihood(p: Matrix, slopes: Matrix, rows: int, loss: float) -> LossView | None:
    """-sum of q p over classes, of targets q that add up to 1, or that and q's negative entropy."""
    for factor in factors(p, rows):
        q = -slopes / factor
        q += (1 - q.sum(1, keepdims=True)) / p.shape[1]
        if q.min() < -CLOSE or q.max() > 1 + CLOSE:
            continue
        targets = q.argmax(1)[:, None].astype(np.float64)
        if np.abs(q - np.round(q)).max() <= CLOSE:
            return LossView(Loss.LOG_LIKELIHOOD, factor * rows, targets, activated=True)
        q = np.clip(q, 1e-12, 1)
        likelihood = factor * (q * p).sum() * rows / len(p)
        entropy = -factor * (q * np.log(q)).sum() * rows / len(p)
        if len(p) == rows and any(
            abs(loss + likelihood + extra) <= 5 * CLOSE * likelihood for extra in (0, entropy)
        ):
            return LossView(Loss.LOG_LIKELIHOOD, factor * rows, activated=True)
    return None


def likelihood_of_any(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """-sum of q z over classes, of targets q that are above 0 and add up to 1, and that with q's
    negative entropy, as `kl_div`: its slopes are -q whatever the output is, which should be the
    logarithm of a probability.
    """
    if output.shape[1] < 2 or len(output) != rows or not (gradient < 0).all():
        return None
    for factor in factors(output, rows):
        q = -gradient / factor
        if np.abs(q.sum(1) - 1).max() > CLOSE:
            continue
        likelihood, entropy = factor * (q * output).sum(), -factor * (q * np.log(q)).sum()
        if any(abs(loss + likelihood + extra) <= CLOSE * entropy for extra in (0, entropy)):
            return LossView(Loss.LOG_LIKELIHOOD, factor * rows)
    return None


def through_sigmoid(output: Matrix, gradient: Matrix, rows: int) -> LossView | None:
    """A binary cross-entropy that takes logits, or one of classes, of a sigmoid of the output;
    arguments as above.
    """
    p = 1 / (1 + np.exp(-np.clip(output, -60, 60)))
    told = (p > _SURE).all(1) & (p < 1 - _SURE).all(1)
    if told.sum() < _ENOUGH:
        return None
    p = p[told]
    slopes = gradient[told] / (p * (1 - p))
    found = classification_loss(p, slopes, rows) if p.shape[1] > 1 else None
    if (
        found is not None
        and found.kind is Loss.CROSS_ENTROPY
        and any(near(found.reduction, usual) for usual in (1.0, rows))
    ):
        return replace(found, activated=True)
    found = binary_logits(p, slopes, rows)
    if found is None or found.targets is None or found.targets.min() < 0 or found.targets.max() > 1:
        return None
    return replace(found, activated=True)


def before_function(
    name: str, output: Matrix, gradient: Matrix
) -> tuple[Matrix, Matrix, npt.NDArray[np.bool_]]:
    """What a sigmoid, tanh or relu makes of an output, d loss / d that, and where this is known:
    where the function is flat, it is not.
    """
    if name == "sigmoid":
        given = 1 / (1 + np.exp(-np.clip(output, -60, 60)))
        slope = given * (1 - given)
    elif name == "tanh":
        given = np.tanh(output)
        slope = 1 - given * given
    else:
        given = np.maximum(output, 0)
        slope = (output > 0).astype(np.float64)
    known = slope > _STEEP
    return given, gradient / np.where(known, slope, 1), known
