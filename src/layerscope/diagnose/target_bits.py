"""Whether the targets of a loss are labels: values that are all 0 or 1, or whole numbers."""

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory

CLASSES = (
    "if these numbers name classes, or words: an output for each, and cross_entropy; if they count "
    "something: "
)
"""What to do about targets that are whole numbers, and then about counts."""

_ROUNDING = 1e-3
_MOST_CLASSES = 100_000


def targets_are_bits(figures: Figures) -> npt.NDArray[np.bool_]:
    """In each step, [steps]: of such values the mean of the squares is the mean."""
    within = (figures["target_min"] >= -_ROUNDING) & (figures["target_max"] <= 1 + _ROUNDING)
    mean = np.square(figures["target_rms"])
    are: npt.NDArray[np.bool_] = within & (
        np.abs(np.square(figures["target_std"]) - mean * (1 - mean)) < _ROUNDING
    )
    return are


def targets_may_be_classes(figures: Figures, memory: Memory) -> npt.NDArray[np.bool_]:
    """Whether all targets of a squared error of one output have been whole numbers from 0 on, some
    of them above 1, up to each step, [steps]: class numbers, or counts.
    """
    fraction = memory.highest("fraction", figures["target_fraction"])
    largest = memory.highest("largest_target", figures["target_max"])
    least = memory.highest("least_target", -figures["target_min"])
    may: npt.NDArray[np.bool_] = (fraction < _ROUNDING) & (least < _ROUNDING)
    return may & (largest > 1 + _ROUNDING) & (largest < _MOST_CLASSES)
