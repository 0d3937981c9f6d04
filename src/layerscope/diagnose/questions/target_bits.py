"""Whether the targets of a loss are labels: values that are all 0 or 1, or whole numbers."""

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Flags, Series
from layerscope.diagnose.memory import Memory

CLASSES = (
    "if these numbers name classes, or words: an output for each, and cross_entropy; if they count "
    "something: "
)
"""What to do about targets that are whole numbers, and then about counts."""

_BEYOND = "a binary cross-entropy gets targets outside [0, 1]: "
_TO_MEND = (
    "for a regression, mse_loss and no function after the last layer; for more than two classes, "
    "an output each and cross_entropy; for two, labels 0 and 1"
)

_ROUNDING = 1e-3
_MOST_CLASSES = 100_000


def targets_are_bits(figures: Figures) -> Flags:
    """In each step, [steps]: of such values the mean of the squares is the mean."""
    within = (figures["target_min"] >= -_ROUNDING) & (figures["target_max"] <= 1 + _ROUNDING)
    mean = np.square(figures["target_rms"])
    return within & (np.abs(np.square(figures["target_std"]) - mean * (1 - mean)) < _ROUNDING)


def targets_beyond_bits(figures: Figures, memory: Memory, told: Flags) -> tuple[str, str]:
    """What is wrong with the targets of a binary cross-entropy that are outside [0, 1], and what to
    do about it, as far as they have been seen up to the last step in which that is `told`, [steps].
    """
    seen = _seen(figures, memory)
    facts = (*seen, _are_two_values(figures, seen, memory), _may_be_classes(figures, seen, memory))
    last = memory.of_run("last_told", len(facts))  # a finding may go on in steps that tell nothing
    if told.any():
        row = int(np.flatnonzero(told)[-1])
        last[:] = [each[row] for each in facts]
    least, largest, are_two, may_be_classes = np.nan_to_num(last).tolist()
    if are_two:
        low, high = (f"{round(each, 3) + 0.0:.4g}" for each in (least, largest))
        scaled = f"divide them by {high}" if low == "0" else f"(target == {high}).float()"
        picture = ", as a mask is that was saved as a picture" if high == "255" else ""
        return f"{_BEYOND}all are {low} or {high}{picture}", f"targets of 0 and 1: {scaled}"
    words = f"{_BEYOND}from {round(least, 3) + 0.0:.3g} to {round(largest, 3):.3g}"
    if not may_be_classes:
        return words, _TO_MEND
    classes = round(largest) + 1
    return (
        f"{_BEYOND}whole numbers up to {largest:.0f}, as {classes} classes are numbered",
        f"for {classes} classes, {classes} outputs and cross_entropy on them; for a regression, "
        "mse_loss and no function after the last layer",
    )


def _are_two_values(figures: Figures, seen: tuple[Series, Series], memory: Memory) -> Flags:
    """Whether all targets of one output have been one of two numbers up to each step, [steps]. What
    lies between two ends has a variance of (most - mean) (mean - least) only if all of it is at the
    ends (Bhatia and Davis 2000, A Better Bound on the Variance).
    """
    least, largest = seen
    before = memory.of_run("ends", 2)
    ends = np.concatenate([[before], np.transpose([least, largest])])
    before[:] = ends[-1]
    # An end that is one no more was a third number.
    same = np.isclose(ends[:-1, :, np.newaxis], ends[1:, np.newaxis], _ROUNDING, _ROUNDING)
    kept = (same.any(2) | np.isnan(ends[:-1])).all(1)
    size, variance = (
        np.square(figures[name].astype(np.float64)) for name in ("target_rms", "target_std")
    )
    mean = np.sqrt(np.fmax(size - variance, 0))
    off = [np.abs(variance - (largest - of) * (of - least)) for of in (mean, -mean)]
    exact = ~np.isnan(figures["target_fraction"])  # of outputs at their end they are not known
    between = exact & (np.fmin(*off) > _ROUNDING * np.square(largest - least))
    are_two = memory.ever("exact", exact) & ~memory.ever("between", between | ~kept)
    return are_two & (largest > least)


def targets_may_be_classes(figures: Figures, memory: Memory) -> Flags:
    """Whether all targets of one output have been whole numbers from 0 on, some of them above 1, up
    to each step, [steps]: class numbers, or counts. Known of a squared error, and of a binary
    cross-entropy.
    """
    return _may_be_classes(figures, _seen(figures, memory), memory)


def _may_be_classes(figures: Figures, seen: tuple[Series, Series], memory: Memory) -> Flags:
    fraction = memory.highest("fraction", figures["target_fraction"])
    least, largest = seen
    may: Flags = (fraction < _ROUNDING) & (least > -_ROUNDING)
    return may & (largest > 1 + _ROUNDING) & (largest < _MOST_CLASSES)


def _seen(figures: Figures, memory: Memory) -> tuple[Series, Series]:
    """The least and the largest target up to each step, [steps] each."""
    largest = memory.highest("largest_target", figures["target_max"])
    return -memory.highest("least_target", -figures["target_min"]), largest
