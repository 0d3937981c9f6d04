"""Whether a loss is a sum over the batch, or has been multiplied by a gradient scaler."""

import numpy as np

from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.measured.figures import Figures, Flags

TIMES = 10.0
"""A sum over fewer samples changes the pace by less than what one tries of learning rates."""

# Their mean is over all elements, that of others over samples.
_OF_ELEMENTS = (Loss.BINARY, Loss.BINARY_LOGITS, Loss.SQUARED_ERROR, Loss.ABSOLUTE_ERROR)

_MEAN = 0.01
"""How far from 1 the loss / its mean may be: weights that differ, rounding."""

_WHOLE = 0.02
"""How far from a whole number of times the samples: a loss of another form may be any times."""

_BEYOND_ANY_SUM = 2.0
"""Times the elements of the output: no sum over them is as large."""


def is_summed(figures: Figures) -> Flags:
    """Whether the loss is a sum over more than TIMES samples, as its gradient tells, [steps]; False
    in steps without a look.
    """
    times = figures["loss_reduction"].astype(np.float64)
    of_samples = times / figures["samples"]
    summed: Flags = (times > TIMES) & (of_samples > 0.9)
    # Over the elements of each sample, too; of a padded batch over nearly all places.
    is_whole = np.abs(of_samples - np.round(of_samples)) < _WHOLE * of_samples
    summed &= is_whole | (of_samples < 1)
    over_outputs = np.abs(times / figures["outputs"] - 1) < _MEAN  # as many as samples, by chance
    return (
        summed & ~is_scaled(figures) & ~(over_outputs & np.isin(figures["loss_kind"], _OF_ELEMENTS))
    )


def is_scaled(figures: Figures) -> Flags:
    """Whether it is multiplied by a power of two that is larger than any sum over elements makes
    it, [steps].
    """
    times = figures["loss_reduction"].astype(np.float64)
    power = np.log2(np.where(times > 0, times, np.nan))
    most = _BEYOND_ANY_SUM * figures["samples"] * np.fmax(figures["outputs"], 1)
    scaled: Flags = (np.abs(power - np.round(power)) < 1e-3) & (times > most)
    return scaled
