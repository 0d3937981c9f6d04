"""Whether the targets of a loss are labels: values that are all 0 or 1."""

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figures import Figures

_ROUNDING = 1e-3


def targets_are_bits(figures: Figures) -> npt.NDArray[np.bool_]:
    """In each step, [steps]: of such values the mean of the squares is the mean."""
    within = (figures["target_min"] >= -_ROUNDING) & (figures["target_max"] <= 1 + _ROUNDING)
    mean = np.square(figures["target_rms"])
    are: npt.NDArray[np.bool_] = within & (
        np.abs(np.square(figures["target_std"]) - mean * (1 - mean)) < _ROUNDING
    )
    return are
