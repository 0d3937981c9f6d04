"""A class that the data have and the network never predicts, or that the network has and the data
never do.
"""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.losses.loss_kind import OF_BITS
from layerscope.diagnose.questions.batch_variety import variety_of_batches
from layerscope.diagnose.questions.solved import is_learning, left_of_chance

_ENOUGH = 30
"""Targets of a class, with not one sample taken for it: with 95 % certainty fewer than a tenth are
found (the rule of three: Hanley and Lippman-Hand 1983)."""

_BEGUN = 0.9
"""Of what guessing costs: of many classes a network that has learned nothing predicts but a few."""

_RARE = 0.25
"""Of all targets: of two classes that are as frequent it is not the rarer one that is left out. Of
several, times what each would have if all were as frequent."""

_TIMES = 2
"""Of `patience`: before that a network may have begun with other classes."""

_MIXED = 0.7
"""Of the variety of all labels: random batches of 8 samples of 8 classes have three quarters."""


@rule_of_run("class_not_predicted", looks_at="uncalled_targets")
def class_not_predicted(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Targets of a class since the network has last taken a sample for it, in steps with a look;
    the class that has most of them. Or the number of an output whose class has never been a target.
    """
    known = memory.loss_curve.of(figures).known
    told = (figures["uncalled_targets"] >= _ENOUGH) & (known >= _TIMES * thresholds.patience)
    is_binary = np.isin(figures["loss_kind"], OF_BITS) | (figures["outputs"] == 1)
    share, equal = figures["uncalled_share"], np.where(is_binary, 1, 1 / figures["outputs"])
    begun = ~is_binary & (left_of_chance(figures, memory) < _BEGUN)
    told &= begun | ((share < _RARE * equal) & (is_binary | is_learning(figures, memory)))
    alone = ~told & (figures["untargeted_classes"] > 0) & (known >= _TIMES * thresholds.patience)
    split_off = alone & (figures["untargeted_end"] == 1)
    split_off &= variety_of_batches(figures, memory) > _MIXED
    split_off &= ~memory.ever("ignored", figures["ignored_share"] > 0)
    split_off &= ~(memory.known("candidates", figures["candidates"]) > 0)
    others = np.where(alone, figures["untargeted_classes"] - 1, np.nan)
    more = int(np.nan_to_num(memory.known("others", others)[-1]))
    looked = ~np.isnan(figures["uncalled_targets"])
    values = np.where(is_binary, figures["uncalled_share"], figures["uncalled_class"])
    return Symptoms.of_run(
        "output",
        np.where(
            looked, np.select((told, alone), (values, figures["untargeted_class"]), 0.0), np.nan
        ).astype(np.float64),
        np.where(split_off, 2, told | alone),
        Advice(
            "class {value:.0f} is never predicted: it was the target of 30 samples or more, and "
            "had the largest output in none of them",
            "if that class matters, look at its recall, not at accuracy; then a weight for it in "
            "the loss, or more of its samples",
        ),
        Advice(
            "one class is never predicted, though {value:.1%} of the targets are of it: of 30 "
            "such samples or more, not one output was on its side of one half",
            "if that class matters, look at its recall, not at accuracy; then pos_weight "
            "(negatives / positives) in the loss, more of its samples, or another threshold than "
            "one half",
        ),
        Advice(
            "of 50 targets or more for each of the network's outputs, none was of class "
            "{value:.0f}" + (f", nor of {more} other{'s' * (more > 1)}" if more else ""),
            "see that the labels are whole: a class that got the number of another, or was left "
            "out where data were split; else an output less for each",
        ),
        Advice(
            "of 50 targets or more for each of the network's outputs, none was of class "
            "{value:.0f}" + (f", nor of the {more} after it" if more else ", the last one") + ", "
            "while the others come equally often: data that lie class by class lose their last "
            "classes where their end is split off",
            "shuffle before the split (random_split, train_test_split(..., stratify=labels)); if "
            "there is no such class, an output less for each",
        ),
        limits=(0.0, 0.0, np.nan),
        source="with 95 % certainty fewer than a tenth of its samples are found (rule of three)",
        cause=np.where(alone, np.where(split_off, 3, 2), is_binary),
    )
