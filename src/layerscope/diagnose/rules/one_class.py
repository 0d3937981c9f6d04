"""Targets that are all of one class, or all one number."""

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_ENOUGH = 300
"""Labels, all of one class: with 95 % certainty less than 1 % of all are of another (the rule of
three: Hanley and Lippman-Hand 1983, If Nothing Goes Wrong, Is Everything All Right?)."""

_LOOKS = 3
"""In which they must be so: a discriminator's passes, true and false ones in turn, are looked at
in turn, and a rare class is not in every batch."""

_ROUNDED = 1e-5
"""Of the outputs, which targets are found as a difference from, in float32."""


@rule_of_run("one_class", looks_at=("labels_seen", "target_min"))
def one_class(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of the most frequent class among all targets seen so far, where it is 1; likewise 1
    where all targets of a squared error are the same number.

    Targets are read off the gradient on the output, so whatever the loss does to labels on the way
    is in them.
    """
    seen, label, looks = memory.of_run("one_class", 3)
    values = np.full(len(figures.steps), np.nan)
    several = ~memory.loss_curve.of(figures).alone
    unknown = figures["loss_kind"] == Loss.UNKNOWN
    for row in np.flatnonzero((figures["labels_seen"] >= 1) | unknown).tolist():
        here = float(figures["label"][row])
        if np.isnan(seen):
            seen, label, looks = 0.0, here, 0.0
        is_one = seen >= _ENOUGH and looks >= _LOOKS  # what has grown certain tells nothing more
        if unknown[row] and is_one:
            continue
        mixed = figures["labels_seen"][row] > 1 or here != label or several[row] or unknown[row]
        seen = -np.inf if mixed else seen + float(figures["samples"][row])
        looks += 1
        values[row] = float(seen >= _ENOUGH and looks >= _LOOKS)
    memory.of_run("one_class", 3)[:] = seen, label, looks
    of_errors = _one_number(figures, memory) & ~several
    values[of_errors] = 1.0
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
            "makes 0 of all that lies between -1 and 1; a division or a wrong column does as much",
        ),
        warning=0.0,
        source="the targets, read off the loss's gradient on the output",
        cause=of_errors,
    )


def _one_number(figures: Figures, memory: Memory) -> npt.NDArray[np.bool_]:
    """Whether all targets of a squared error that were looked at are one number, and are enough,
    [steps].
    """
    told = (figures["loss_kind"] == Loss.SQUARED_ERROR) & (figures["output_alone"] == 1)
    told &= ~((figures["targets_broadcast"] == 1) | np.isnan(figures["target_min"]))
    low, high = figures["target_min"].astype(np.float64), figures["target_max"]
    known = memory.of_run("one_number", 3)
    if np.isnan(known[0]) and told.any():
        known[:] = low[told][0], 0, 0
    off = np.fmax(high - known[0], known[0] - low)
    differ = memory.ever("differ", told & ~(off <= _ROUNDED * figures["output_rms"]))
    seen = known[1] + np.cumsum(np.where(told, figures["samples"], 0))
    looks = known[2] + np.cumsum(told)
    known[1:] = seen[-1], looks[-1]
    one: npt.NDArray[np.bool_] = told & ~differ & (seen >= _ENOUGH) & (looks >= _LOOKS)
    return one
