"""Targets that are all of one class, or all one number."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.losses.loss_kind import OF_BITS, Loss
from layerscope.diagnose.measured.figures import Flags, Values

_ENOUGH = 300
"""Labels, all of one class: with 95 % certainty less than 1 % of all are of another (the rule of
three: Hanley and Lippman-Hand 1983, If Nothing Goes Wrong, Is Everything All Right?)."""

_LOOKS = 3
"""In which they must be so: a discriminator's passes, true and false ones in turn, are looked at
in turn, and a rare class is not in every batch."""


@rule_of_run("one_class", looks_at=("labels_seen", "targets_apart", "returns_zero"))
def one_class(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """1 where all targets so far are of one class, one number, or the same in all samples; or where
    all returns are 0.
    """
    seen, label, looks = memory.of_run("one_class", 3)
    values = np.full(len(figures.steps), np.nan)
    several = ~memory.loss_curve.of(figures).alone
    unknown = figures["loss_kind"] == Loss.UNKNOWN
    # A class of a contrastive loss is a place: that of the partner, and often the first.
    several |= memory.known("candidates", figures["candidates"]) > 0
    ignored = np.nan_to_num(figures["ignored_share"])
    counted = np.round(figures["samples"] * (1 - ignored))
    chosen = memory.ever("chosen", ignored > 0)
    for row in np.flatnonzero((figures["labels_seen"] >= 1) | unknown).tolist():
        here = float(figures["label"][row])
        if np.isnan(seen):
            seen, label, looks = 0.0, here, 0.0
        is_one = seen >= _ENOUGH and looks >= _LOOKS  # what has grown certain tells nothing more
        if unknown[row] and is_one:
            continue
        # What cannot be told has no label, and NaN is no other's equal.
        mixed = figures["labels_seen"][row] > 1 or here != label or several[row]
        seen = -np.inf if mixed else seen + float(counted[row])
        looks += 1
        values[row] = float(seen >= _ENOUGH and looks >= _LOOKS)
    memory.of_run("one_class", 3)[:] = seen, label, looks
    of_errors = _all_alike(figures, memory) & ~several
    values[of_errors] = 1.0
    no_reward = figures["returns_zero"] == 1
    known = memory.loss_curve.of(figures).known >= thresholds.patience
    no_reward &= known & ~memory.ever("rewarded", figures["returns_zero"] == 0)
    values[no_reward] = 1.0
    of_one_number = figures["target_min"] >= figures["target_max"] - _off(figures)
    of_one_number |= figures["outputs"] == 1  # whatever a Huber loss hides of some
    # A cross-entropy that is down to rounding is taken for another loss.
    numbered = memory.ever("numbered", figures["labels_seen"] >= 1)
    return Symptoms.of_run_above(
        "loss",
        values,
        Advice(
            "all targets that were looked at so far are of one class, and any other is rarer than "
            "1 %, with 95 % certainty: nothing but that class can be learned",
            "look at the labels as the loss gets them: a division or cast may have made them all "
            "the same; and shuffle the data",
        ),
        Advice(
            "all targets that were looked at so far are the same number, and any other is rarer "
            "than 1 %, with 95 % certainty: nothing but that number can be learned",
            "look at the targets as the loss gets them: a cast to whole numbers (.long(), .int()) "
            "makes 0 of all that lies between -1 and 1; a clamp of values of another unit, a "
            "division or a wrong column does as much",
        ),
        Advice(
            "the targets that were looked at so far are the same in all samples, output by output, "
            "and any other is rarer than 1 %, with 95 % certainty: nothing but these numbers can "
            "be learned",
            "print some rows of the targets as the loss gets them: rows that are one list, as in "
            "[[0] * classes] * samples, all change together; so do rows of an expanded tensor",
        ),
        Advice(
            "the values of all states that were looked at so far are to become exactly 0: no "
            "reward has come to the loss, and what is left of the advantages is noise",
            "print the sum of the rewards as they are stored: keep the one that env.step(action) "
            "returns for that action, the last of an episode too; else rewards are too rare for "
            "chance to find one: more steps in each update, or a task that is easier at first",
        ),
        Advice(
            "all targets that the loss took so far are of one class, and some samples get no "
            "gradient from it: nothing but that class can be learned",
            "look at what the loss leaves out: an ignore_index or a weight of 0 that is a class's "
            "own, or a minimum or topk that keeps the easiest samples",
        ),
        warning=0.0,
        source="the targets, read off the loss's gradient on the output",
        cause=np.select(
            (no_reward, of_errors & ~numbered, chosen), (3, np.where(of_one_number, 1, 2), 4), 0
        ),
    )


def _all_alike(figures: Figures, memory: Memory) -> Flags:
    """Whether all samples that were looked at have the same targets, and are enough, [steps]. A
    squared error of several outputs that is no mean over them may be to a centre, as that of deep
    support vector data description, which is one for all.
    """
    several, mean = figures["outputs"] > 1, np.abs(figures["loss_reduction"] - 1) < _MEAN
    told = (figures["loss_kind"] == Loss.SQUARED_ERROR) & (~several | mean)
    told |= np.isin(figures["loss_kind"], OF_BITS) & several
    told &= (figures["output_alone"] == 1) & ~(figures["targets_broadcast"] > 0)
    told &= ~np.isnan(figures["targets_apart"])
    differ = memory.ever("differ", told & ~(figures["targets_apart"] <= _off(figures)))
    seen = memory.so_far("alike", np.where(told, figures["samples"], 0))
    looks = memory.so_far("looks_alike", told)
    return told & ~differ & (seen >= _ENOUGH) & (looks >= _LOOKS)


def _off(figures: Figures) -> Values:
    """How far apart targets may be that are the same: they are found as a difference from the
    outputs, in float32.
    """
    return _ROUNDED * figures["output_rms"]


_ROUNDED = 1e-5
"""Of the outputs."""

_MEAN = 0.01
