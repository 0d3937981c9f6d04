"""An error that is larger because the task's targets are."""

import numpy as np

from layerscope.diagnose.losses.loss_kind import ERRORS, Loss
from layerscope.diagnose.measured.figures import Figures, Series
from layerscope.diagnose.measured.loss_curve import FIRST
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.once_a_block import once_a_block

_FROM_OUTSIDE = 0.5
"""Outputs / targets: below, the network has no part in how large the targets are."""
_FEW = 4.0
"""Largest target / root mean square: that of 17 or more, all others of which are 0."""


@once_a_block
def largest_targets(figures: Figures, memory: Memory) -> Series:
    """The largest root mean square that an error's targets had in a look so far, [steps]; NaN
    before one. A look counts if the outputs are small beside the targets: targets that grow with
    the outputs are what a network makes for itself, and diverge with it. And if no few of the
    targets make up their size: one row in other units is no task.
    """
    sizes = _sizes(figures)
    farthest = np.fmax(np.abs(figures["target_min"]), np.abs(figures["target_max"]))
    count = (figures["output_rms"] < _FROM_OUTSIDE * sizes) & (farthest < _FEW * sizes)
    return memory.highest("largest", np.where(count, sizes, np.nan))


@once_a_block
def growth_of_an_error(figures: Figures, memory: Memory) -> Series:
    """How many times larger an error is because the task's own targets have become larger, [steps];
    1 where they have not, and of any other loss.

    The mean squared error of a network that says 0 is the targets' mean square: so where a task
    follows another, as in Reptile (Nichol et al. 2018, On First-Order Meta-Learning Algorithms),
    the loss of the first is no measure for it.
    """
    known = memory.so_far("losses", ~np.isnan(figures["loss"]))
    sizes = _sizes(figures)
    first = memory.highest("first", np.where(known <= FIRST, sizes, np.nan))
    largest = np.fmax(largest_targets(figures, memory), first)
    kinds = np.where(np.isnan(sizes), np.nan, figures["loss_kind"])
    is_squared = memory.known("kind", kinds) == Loss.SQUARED_ERROR
    times = np.power(largest / first, np.where(is_squared, 2.0, 1.0))
    return np.where(np.isnan(times), 1.0, times)


def _sizes(figures: Figures) -> Series:
    sizes = figures["target_rms"].astype(np.float64)
    is_error = np.isin(figures["loss_kind"], ERRORS)
    return np.where(is_error & (sizes > 0), sizes, np.nan)
