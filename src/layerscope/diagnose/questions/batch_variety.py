"""How much of the variety that all labels have is in a batch."""

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Values
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.once_a_block import once_a_block

_LOOKS = 5
_SAMPLES = 8
"""Of fewer a batch may be of one class by chance."""
_SEVERAL = 0.1
"""Nats: a class of 2 %."""


@once_a_block
def variety_of_batches(figures: Figures, memory: Memory) -> Values:
    """Entropy of the labels within a batch, the mean over all looks / that of all labels seen, or
    what a batch of n samples has at most, ln n, [steps]: 1 of random batches, 0 of data that are
    sorted by class; NaN before enough looks, and where it is not known.
    """
    within, samples = figures["batch_entropy"].astype(np.float64), figures["samples"]
    alone = memory.loss_curve.of(figures).alone
    counts = ~np.isnan(within) & (samples >= _SAMPLES) & alone
    floor = np.nan_to_num(figures["loss_floor"])  # of smoothed labels
    looks = memory.so_far("looks", counts)
    total = memory.so_far("total", np.where(counts, within - floor, 0.0))
    # Not fmin: of a loss with weights the labels' entropy is not known.
    most = np.minimum(figures["label_entropy"] - floor, np.log(np.fmax(samples, 1)))
    told = counts & (most > _SEVERAL) & (looks >= _LOOKS)
    return np.where(told, total / np.fmax(looks, 1) / most, np.nan)
