"""What outputs show alone and beside the loss: shares, drops, and what they are compared with."""

from collections.abc import Sequence

import numpy as np

from layerscope.diagnose.losses.loss_kind import ERRORS, OF_BITS, OF_CLASSES, Loss, LossView
from layerscope.figures.inputs import Matrix, rms

_CLOSE = 1e-3
"""Relative to the data: a target is found as a difference, in float32."""

_NEAR, _NEARLY_ALL = 0.01, 0.9
"""A noisy sample is its noise to a hundredth in the last one in twenty of a diffusion's steps (Ho
et al. 2020, Denoising Diffusion Probabilistic Models, section 4: of a thousand)."""

_ONE = 2e-3
"""How far from 1 a sum of probabilities may be: bfloat16 rounds to three digits."""

_BUT_ENDS, _HALF = 0.85, 0.5
"""Shares of the places: of sequences of eight, seven have a next one; and of a series that stays as
it is the same place would do as well."""

_OF_VALUES = (Loss.UNKNOWN, *ERRORS)


def picked_outputs(
    values: Matrix, gradient: Matrix, kind: Loss
) -> tuple[Matrix, Matrix] | tuple[None, None]:
    """The one output of each sample that the loss looks at, and its gradient, [samples, 1] each; as
    the value of the action that was taken, by `gather`. Nothing where it looks at several or none.

    Args:
        values, gradient: [samples, outputs].
        kind: what the loss was taken for with all of them: that of a class looks at one, too.
    """
    looked_at = gradient != 0
    if kind not in _OF_VALUES or values.shape[1] < 2 or not (looked_at.sum(1) == 1).all():
        return None, None
    return values[looked_at][:, np.newaxis], gradient[looked_at][:, np.newaxis]


def targets_are_inputs(view: LossView, values: Matrix, data: Sequence[Matrix]) -> float:
    """1 if a squared error compares the output with what a first layer or the network gets, 2 if it
    does so all but for a hundredth, in nearly all samples, else 0; NaN where it is another loss.

    Args:
        values: of the output, [samples, outputs].
        data: [samples, features] each.
    """
    targets = view.targets
    if view.kind is not Loss.SQUARED_ERROR or view.broadcast or targets is None:
        return np.nan
    nearly = 0.0
    for inputs in data:
        if not (inputs.shape == targets.shape == values.shape and np.ptp(inputs) > 0):
            continue
        off, size = np.abs(inputs - targets), rms(inputs)
        if off.max() <= _CLOSE * size:
            return 1.0
        if (np.sqrt(np.square(off).mean(1)) <= _NEAR * size).mean() >= _NEARLY_ALL:
            nearly = 2.0
    return nearly


def counts_are_inputs(values: Matrix, gradient: Matrix, data: Sequence[Matrix]) -> bool:
    """Whether the loss is that of a multinomial distribution of what a first layer or the network
    gets, which are counts, most of them 0: what a user has bought, or words of a text (Liang et al.
    2018, Variational Autoencoders for Collaborative Filtering). Its slope on a row's logits is
    n p - y, with the counts y, which add up to n; each row may have been scaled by a number.

    Args:
        values, gradient: of the output, [samples, outputs].
        data: [samples, features] each.
    """
    odds = np.exp(values - values.max(1, keepdims=True))
    p = odds / odds.sum(1, keepdims=True)
    for inputs in data:
        some = inputs.any(1) if inputs.shape == values.shape else np.zeros(1, bool)
        if not some.any() or inputs.min() < 0 or np.median(inputs) > 0:
            continue
        known = inputs[some]
        counts = known / np.where(known > 0, known, np.inf).min(1, keepdims=True)
        slope = p[some] - known / known.sum(1, keepdims=True)
        along = (slope * gradient[some]).sum(1)
        sizes = np.linalg.norm(slope, axis=1) * np.linalg.norm(gradient[some], axis=1)
        if np.abs(counts - counts.round()).max() <= _NEAR and (along > (1 - _CLOSE) * sizes).all():
            return True
    return False


def targets_are_next(view: LossView, values: Matrix, given: Matrix, every: int) -> bool:
    """Whether a squared error compares each place of the output with the next one of what the
    network got, along the features or, where each row is a place, along the rows.

    Args:
        values: of the output, [samples, outputs].
        given: of what the network was called with in its shape.
        every: how far apart the rows are that were kept.
    """
    targets = view.targets
    if view.kind is not Loss.SQUARED_ERROR or view.broadcast or targets is None:
        return False
    if not targets.shape == values.shape == given.shape:
        return False
    close = _CLOSE * rms(given)
    pairs = [(given, targets)] if given.shape[1] >= _MANY else []
    pairs += [(given.T, targets.T)] if every == 1 and len(given) >= _MANY else []
    for inputs, asked in pairs:  # time along the columns
        now, after = (
            np.abs(each - asked[:, :-1]) <= close for each in (inputs[:, :-1], inputs[:, 1:])
        )
        # Rows of several samples are one behind the other: the last place of each has no next one.
        if after.all(0).mean() >= _BUT_ENDS and now.mean() < _HALF:
            return True
    return False


def target_column(view: LossView, data: Sequence[Matrix]) -> float:
    """Which column of what a first layer gets, and no other, is the targets, from 0; of classes
    also the first of those that are constant in each class and together tell all classes apart. -1
    if none is, and NaN where the loss has not one target for each sample.

    Args:
        data: [samples, features] each.
    """
    targets = view.targets
    if view.kind not in _OF_ONE_TARGET or view.broadcast or targets is None:
        return np.nan
    if targets.shape[1] != 1 or not (len(targets) >= _MANY):
        return np.nan
    found, counts = np.unique(targets, return_counts=True)
    if len(found) < _MANY and np.sort(counts)[-2:-1].sum() < _MANY:  # nearly all are one
        return np.nan
    for inputs in data:
        if inputs.shape[1] > 1 and len(inputs) == len(targets):
            same = np.abs(inputs - targets).max(0) <= _SAME * targets.std()
            if same.sum() == 1:
                return float(same.argmax())
            if view.kind is not Loss.SQUARED_ERROR and (column := _telling(inputs, targets)) >= 0:
                return float(column)
    return -1.0


def _telling(inputs: Matrix, targets: Matrix) -> int:
    """The first of the columns that give the class away, as its number, scaled or not, or one
    column for each class does; -1 if none do, or if no column differs within a class.
    """
    _, place, counts = np.unique(targets[:, 0], return_inverse=True, return_counts=True)
    order = np.argsort(place, kind="stable")[np.repeat(counts, counts) > 1]  # of one nothing shows
    starts = np.append(0, np.cumsum(counts[counts > 1]))[:-1]
    if len(starts) < 2 or len(order) < 2 * _MANY:
        return -1
    least = np.minimum.reduceat(inputs[order], starts)
    constant = (least == np.maximum.reduceat(inputs[order], starts)).all(0)
    telling = constant & (np.ptp(least, axis=0) > 0)
    if constant.all() or not telling.any():
        return -1
    apart = len(np.unique(least[:, telling], axis=0)) == len(starts)
    return int(telling.argmax()) if apart else -1


_OF_ONE_TARGET = (Loss.SQUARED_ERROR, *OF_BITS, *OF_CLASSES)
_MANY, _SAME = 8, 1e-4


def critic_slope(values: Matrix, gradient: Matrix, loss: float, data: Sequence[Matrix]) -> float:
    """Standard deviation of the outputs / that of the data, by length, where each output counts
    alike in the loss and these are not all of it: as of a critic's scores of real and made samples.
    NaN elsewhere. Of a function that is nowhere steeper than k it is k at most.

    Args:
        values, gradient: [samples, 1].
        data: [samples, features] each.
    """
    slope = float(gradient[0, 0])
    if not np.abs(gradient - slope).max() <= _SAME * abs(slope) or slope == 0:
        return np.nan
    if abs(loss - slope * values.sum()) <= _CLOSE * abs(loss):  # a network that gives its own loss
        return np.nan
    spread = max((np.sqrt(each.var(0).sum()) for each in data), default=0.0)
    return float(values.std() / spread) if spread > 0 else np.nan


def dropped(values: Matrix, gradient: Matrix) -> float:
    """Share of the outputs that are exactly 0 and that the loss would have otherwise, of outputs of
    both signs: a dropout leaves such. What is 0 for all samples is left out, as a head that starts
    at zero, and so is a sample whose outputs are all 0, as a graph's node that is cut off.
    """
    zero = values == 0
    if not zero.any():
        return 0.0
    varies = ~zero.all(0)
    reached = ~zero.all(1) if values.shape[1] > 1 else np.full(len(values), True)
    if not (varies.any() and values.min() < 0 < values.max()):
        return 0.0
    return float((zero & (gradient != 0))[np.ix_(reached, varies)].mean())


def sums_to_one(values: Matrix, axis: int) -> bool:
    """Whether all values are shares that add up to 1 along an axis of two or more."""
    if values.shape[axis] < 2 or values.min() < 0 or values.max() > 1 + _ONE:
        return False
    return bool(np.abs(values.sum(axis) - 1).max() <= _ONE)
