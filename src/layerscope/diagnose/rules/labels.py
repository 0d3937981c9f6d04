"""What the targets of a classification say: one class alone, or nothing that inputs could tell."""

from __future__ import annotations

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.last_known import last_known
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.rules.loss_not_falling import median_update
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_ENOUGH = 64
"""Labels, all of one class: by chance in 2^-63 of two even classes, in 0.04 of one of 95 %."""


@rule_of_run("one_class")
def one_class(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of the most frequent class among all targets seen so far, where it is 1.

    Targets are read off the gradient on the output, so whatever the loss does to labels on the way
    is in them. Blind where the loss cannot be told, where it is made of several outputs, and with
    several optimizers: a discriminator is told of true and false samples in turn.
    """
    if np.isnan(figures["labels_seen"]).all():  # nobody looked
        return Symptoms.of_run("loss", figures["labels_seen"])
    seen, label = memory.of_run("seen", 2)
    values = np.full(len(figures.steps), np.nan)
    many = memory.of_run("several")
    several = np.logical_or.accumulate((figures["optimizer"] > 0) | (figures["optimizers"] > 1)) | (
        many[0] == 1
    )
    many[0] = float(several[-1])
    for row in np.flatnonzero(figures["labels_seen"] >= 1).tolist():
        here = float(figures["label"][row])
        if np.isnan(label):
            seen, label = 0.0, here
        mixed = figures["labels_seen"][row] > 1 or here != label or several[row]
        seen = -np.inf if mixed else seen + float(figures["samples"][row])
        values[row] = 0.0 if seen < _ENOUGH else 1.0
    memory.of_run("seen", 2)[:] = seen, label
    return Symptoms.of_run(
        "loss",
        values,
        np.where(values == 1, 2, 0).astype(np.int8),
        Advice(
            "all targets so far are of one class: nothing but that class can be learned",
            "look at the labels as the loss gets them: a division or cast may have made them all "
            "the same; and shuffle the data",
        ),
        limits=(np.nan, 0.0, np.nan),
        source="the targets, read off the loss's gradient on the output",
    )


@rule_of_run("labels_without_signal")
def labels_without_signal(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Loss / entropy of the classes' frequencies, from `patience` steps on: 1 is what a network
    reaches that has learned how often each class comes, and nothing from its inputs.

    Judged where steps are as large as usual, so that it is no slow learner. It does not see
    whether labels are wrong, or whether the network cannot tell the inputs apart.
    """
    t = thresholds
    curve = memory.loss_curve.of(figures)
    chance = last_known(figures["label_entropy"].astype(np.float64), memory.of_run("entropy"))
    values = curve.level / np.where(chance > 0.1, chance, np.nan)
    updates = median_update(figures, memory.of_run("update", 1))
    due = (curve.known >= 2 * t.patience) & curve.judged & (updates > t.update_slow)
    begun = curve.start > 1.02 * curve.level
    ill = due & begun & (values > 1 - (1 - t.loss_stuck)) & (values < 1 + (1 - t.loss_stuck))
    return Symptoms.of_run(
        "loss",
        values,
        np.where(ill, 2, 0).astype(np.int8),
        Advice(
            "after {step} steps the loss is {value:.3g} of the entropy of the labels: the network "
            "has learned how often each class comes, and nothing from its inputs",
            "look whether each label belongs to its input: print some pairs; a shuffle of one and "
            "not of the other parts them",
        ),
        limits=(np.nan, t.loss_stuck, np.nan),
        source="Shannon 1948: the entropy is the least loss without a look at the inputs",
        lasting=t.warm_up,
    )
