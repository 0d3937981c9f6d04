"""Whether the targets of a loss are labels: values that are all 0 or 1, or whole numbers."""

import numpy as np

from layerscope.diagnose.figures import Figures, Flags, Series
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
    row = int(np.flatnonzero(told)[-1]) if told.any() else -1
    least, largest = (float(each[row]) for each in _seen(figures, memory))
    words = f"{_BEYOND}from {round(least, 3) + 0.0:.3g} to {round(largest, 3):.3g}"
    if not targets_may_be_classes(figures, memory)[row]:
        return words, _TO_MEND
    classes = round(largest) + 1
    return (
        f"{_BEYOND}whole numbers up to {largest:.0f}, as {classes} classes are numbered",
        f"for {classes} classes, {classes} outputs and cross_entropy on them; for a regression, "
        "mse_loss and no function after the last layer",
    )


def targets_may_be_classes(figures: Figures, memory: Memory) -> Flags:
    """Whether all targets of one output have been whole numbers from 0 on, some of them above 1, up
    to each step, [steps]: class numbers, or counts. Known of a squared error, and of a binary
    cross-entropy.
    """
    fraction = memory.highest("fraction", figures["target_fraction"])
    least, largest = _seen(figures, memory)
    may: Flags = (fraction < _ROUNDING) & (least > -_ROUNDING)
    return may & (largest > 1 + _ROUNDING) & (largest < _MOST_CLASSES)


def _seen(figures: Figures, memory: Memory) -> tuple[Series, Series]:
    """The least and the largest target up to each step, [steps] each."""
    largest = memory.highest("largest_target", figures["target_max"])
    return -memory.highest("least_target", -figures["target_min"]), largest
