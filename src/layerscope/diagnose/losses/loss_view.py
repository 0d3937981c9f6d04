"""From a network's output and the loss's gradient on it: which loss it is, and of which targets.

The gradient of a loss with respect to the output says what the loss compares it with. For a
cross-entropy on logits z it is k (softmax(z) - onehot(y)), for a binary one k (sigmoid(z) - y), for
squared errors 2 k (z - y) (Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.6:
"prediction minus target" for each canonical link). So targets, classes and reduction are read off,
whatever the code of the loss looks like, and wherever it stands.
"""

import math
from dataclasses import replace

import numpy as np

from layerscope.diagnose.losses.alignment_loss import alignment_of_scores
from layerscope.diagnose.losses.binary_cross_entropy import (
    binary,
    binary_logits,
    binary_of_clipped,
    binary_of_soft_targets,
    binary_of_sure,
    binary_of_sure_shares,
    binary_of_values,
)
from layerscope.diagnose.losses.classification_loss import classification_loss, softmax
from layerscope.diagnose.losses.hinge_loss import hinge_of_bits
from layerscope.diagnose.losses.loss_factors import CLOSE
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix
from layerscope.diagnose.losses.loss_through_function import (
    likelihood_of_any,
    through_sigmoid,
    through_softmax,
    through_tempered_softmax,
)
from layerscope.diagnose.losses.overlap_loss import overlap
from layerscope.diagnose.losses.percentage_error import percentage_error
from layerscope.diagnose.losses.regression_loss import (
    absolute_error,
    absolute_error_of_pairs,
    smooth_error_of_pairs,
    squared_error,
    squared_error_of_far_targets,
)
from layerscope.diagnose.losses.several_classes import several_of_shares
from layerscope.diagnose.losses.tempered_loss import tempered
from layerscope.diagnose.losses.weighted_loss import class_weights, weighted_binary

_NEVER_NEGATIVE = (Loss.CROSS_ENTROPY, Loss.BINARY_LOGITS, Loss.BINARY, Loss.SQUARED_ERROR)
"""And are told by more than the sign of a slope: a critic's mean has one too."""

_NEGATIVE_BY_TARGETS = (
    *(Loss.LOG_LIKELIHOOD, Loss.LOG_OF_OUTPUT, Loss.BINARY_LOGITS, Loss.BINARY),
    *(Loss.LOG_OF_SHARE, Loss.OVERLAP_OF_SCORES),
)
"""Losses that targets of the wrong kind bring below 0."""


_MOST, _ALIKE = 0.9, 0.02
"""Share of the samples of a loss that count alike, and within what: one that the network is sure
of has a factor that is mostly rounding."""


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
    if loss < 0 and view.kind is Loss.CROSS_ENTROPY:  # whose samples are weighted: by their shares?
        view = through_softmax(output, gradient, rows, loss) or view
    if loss < 0 and view.kind not in _NEGATIVE_BY_TARGETS:
        turned = _view(output, -gradient, rows, -loss, square)
        never = turned.kind in _NEVER_NEGATIVE
        if turned.kind is Loss.LOG_LIKELIHOOD:  # of a density it may be
            never = _are_logs_of_shares(output)
        elif turned.kind is Loss.CROSS_ENTROPY:
            never = _is_linear_in_it(turned)
        if never and math.isfinite(turned.reduction):
            return replace(turned, negated=True)
    return view


def _is_linear_in_it(view: LossView) -> bool:
    """Whether all samples of a cross-entropy, or all of a class, count alike: else the loss is some
    function of each sample's cross-entropy, and minus that is another one.
    """
    targets, weights = view.targets, view.weights
    if targets is None or weights is None or len(targets) != len(weights):
        return True
    known = weights[np.isfinite(weights)]
    if not len(known):
        return True
    off = np.abs(known - np.median(known))
    is_one = np.quantile(off, _MOST) <= _ALIKE * np.median(known)
    return bool(is_one) or bool(class_weights(targets[:, 0].astype(np.int64), weights))


def _are_logs_of_shares(output: Matrix) -> bool:
    """Whether they are the logarithms of shares that add up to 1 in each row."""
    if output.shape[1] < 2 or output.max() > CLOSE:
        return False
    return bool((np.abs(np.exp(output).sum(1) - 1) <= CLOSE).all())


def _is_mean(output: Matrix, gradient: Matrix, rows: int, loss: float) -> bool:
    """Whether the loss is the outputs' own mean or sum, as of a network that computes it itself: an
    error or a cross-entropy of sure outputs has the same slopes where all targets lie on one side.
    """
    slope = float(gradient.flat[0])
    if not np.abs(gradient - slope).max() <= 1e-4 * abs(slope):
        return False
    whole = slope * rows * output.shape[1] * output.mean()
    return bool(abs(loss - whole) <= 1e-4 * max(abs(loss), abs(slope) * rows))


def _view(output: Matrix, gradient: Matrix, rows: int, loss: float, square: float) -> LossView:
    finite = np.isfinite(output).all(1) & np.isfinite(gradient).all(1)
    known = finite & gradient.any(1)
    if not known.any():
        return LossView(Loss.UNKNOWN)
    if output.shape[1] > 1:
        told = known & (gradient < 0).any(1)
        if told.all():
            found, certain = classification_loss(output, gradient, rows, loss), None
        else:
            # A row that is certain of its target has no gradient either, or rounding at the places
            # of the others, and is no padding.
            certain = finite & ~told & (softmax(output).max(1) > 1 - 1e-5)
            told = known & ~certain
            count = max(round(rows * (told | certain).mean()), 1)
            if told.any():
                found = classification_loss(output[told], gradient[told], count, loss)
            else:
                found = None
        if found is not None:
            if certain is None or found.targets is None or found.kind is not Loss.CROSS_ENTROPY:
                return found
            sure = output[certain].argmax(1)[:, None].astype(np.float64)
            return replace(found, targets=np.concatenate([found.targets, sure]), weights=None)
    if (hinge := hinge_of_bits(output, gradient, rows, loss)) is not None:
        return hinge
    if (found := overlap(output[finite], gradient[finite], rows, loss)) is not None:
        return found
    whole, all_rows = (output[finite], gradient[finite]), rows
    output, gradient = output[known], gradient[known]
    rows = max(round(rows * known.mean()), 1)  # of those that count
    if known.all() and _is_mean(output, gradient, rows, loss):
        return LossView(Loss.UNKNOWN)
    return (
        binary_logits(output, gradient, rows)
        or binary(output, gradient, rows)
        or binary_of_clipped(*whole, all_rows)
        or binary_of_sure(*whole, all_rows, loss)
        or binary_of_sure_shares(*whole, all_rows, loss)
        or weighted_binary(output, gradient)
        or absolute_error(output, gradient, rows, loss)
        or squared_error_of_far_targets(output, gradient, rows, loss, square)
        or binary_of_soft_targets(output, gradient, rows, loss)
        or squared_error(output, gradient, rows, loss, square)
        or percentage_error(output, gradient, rows, loss)
        or binary_of_values(output, gradient, rows, loss)
        or absolute_error_of_pairs(*whole, all_rows)
        or smooth_error_of_pairs(*whole, all_rows)
        or likelihood_of_any(output, gradient, rows, loss)
        or alignment_of_scores(output, gradient)
        or through_softmax(output, gradient, rows, loss)
        or through_tempered_softmax(output, gradient, rows, loss)
        or through_sigmoid(output, gradient, rows)
        or several_of_shares(output, gradient, rows, loss)
        or tempered(output, gradient, rows, loss)
        or LossView(Loss.UNKNOWN)
    )
