"""Targets that are far larger, or far smaller, than what a network gives."""

import numpy as np

from layerscope.diagnose import Case, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.losses.loss_kind import ERRORS, Loss
from layerscope.diagnose.questions.solved import left_of_chance
from layerscope.diagnose.questions.target_bits import CLASSES, targets_may_be_classes

_SMALL = 0.01
"""Of the outputs that a network begins with: steps of a usual size move these by so much."""

_LEFT = 0.25
"""Of the targets' variance."""


@rule_of_run("target_scale", looks_at=("target_rms", "target_rms_beside", "loss"))
def target_scale(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Root mean square of the targets of a squared or absolute error; of another output than the
    first where a squared error of it is all of the loss but for rounding.
    """
    t, lost = thresholds, np.isinf(figures["loss"])
    values, sizes = figures["target_rms"].astype(np.float64), figures["target_rms_beside"]
    if not lost.any() and np.isnan(values).all() and np.isnan(sizes).all():
        return Symptoms.of_run("output", values)  # the usual
    values[~np.isin(figures["loss_kind"], ERRORS)] = np.nan
    # A loss that is lost in the first steps shows no targets any more: they are as they were.
    values = np.where(lost & np.isnan(values), memory.known("targets", values), values)
    huge, large = values > t.target_huge, values > t.target_large
    # By then it should be better than one that says the targets' mean, whatever it is given.
    curve = memory.loss_curve.of(figures)
    of_squares = figures["loss_kind"] == Loss.SQUARED_ERROR
    of_mean = figures["target_std"].astype(np.float64) ** np.where(of_squares, 2, 1)
    worse = (curve.level > of_mean * figures["loss_reduction"]) & (curve.known >= t.patience)
    on_its_way = curve.judged & (curve.level < curve.start)  # and has not diverged
    # Those of an absolute error are known on average only, from a loss that may have other terms.
    small = (values < _SMALL) & (figures["target_std"] > 0)
    small &= figures["loss_kind"] != Loss.ABSOLUTE_ERROR
    held_up = worse & on_its_way
    whole = targets_may_be_classes(figures, memory)
    # A class is not close to the one that has the next number.
    unlearned = whole & of_squares & (left_of_chance(figures, memory) > _LEFT)
    unlearned &= ~(large | (small & held_up)) & (curve.known >= 2 * t.patience)
    beside = (sizes > t.target_large) & ~(huge | ((large | small) & held_up))
    by_size = np.where(huge | (large & held_up), 2, np.where(large, 1, 0))
    return Symptoms.of_cases(
        "output",
        values,
        Case(
            beside,
            "the targets of one of several outputs have a root mean square of {value:.3g} (limit "
            "{threshold:g}), and their squared error is all of the loss but for rounding: what the "
            "other outputs' losses ask of the layers that they share is lost beside its gradient",
            _SCALED + "; then see that the terms of the loss are of about one size",
            value=sizes,
            severity=np.where(sizes > t.target_huge, 2, 1),
        ),
        Case(
            unlearned,
            "the targets are whole numbers with a root mean square of {value:.3g}, and the loss is "
            "still above a quarter of their variance",
            CLASSES + "nothing",
            (0.0, t.target_huge, np.nan),
            severity=1,
        ),
        Case(
            small & held_up,
            "the targets have a root mean square of {value:.3g} (limit {threshold:g}), where a "
            "network begins with outputs of about 1; and the loss is still above that of their "
            "mean: they are smaller than what a step changes",
            _SCALED,
            _SMALL,
        ),
        Case(
            large & whole,
            "the targets are whole numbers with a root mean square of {value:.3g}, where a network "
            "begins with outputs of about 1",
            CLASSES + _SCALED,
            severity=by_size,
        ),
        Case(
            large & ~huge & held_up,
            "the targets have a root mean square of {value:.3g} (limit {threshold:g}), where a "
            "network begins with outputs of about 1; and the loss is still above that of their "
            "mean: outputs have a long way to go",
            _SCALED,
            t.target_large,
        ),
        Case(
            large,
            "the targets have a root mean square of {value:.3g} (limit {threshold:g}), where a "
            "network begins with outputs of about 1",
            _SCALED,
            severity=by_size,
        ),
        limits=(t.target_large, t.target_huge, np.nan),
        source="LeCun et al. 1998, Efficient BackProp, section 4.5, on the targets' scale",
        lasting=3,
    )


_SCALED = (
    "scale the targets: subtract their mean and divide by their standard deviation over the "
    "training data, and scale the outputs back"
)
