"""How large is the loss of classes that have come just now?"""

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Series
from layerscope.diagnose.measured.new_classes import SOON
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.once_a_block import once_a_block


@once_a_block
def loss_of_new_classes(figures: Figures, memory: Memory) -> Series:
    """Mean of the first losses since targets of new classes were looked at, [steps]; NaN before."""
    before = memory.of_run("since", 2)  # their sum and number
    came = figures["labels_new"] > 0
    if not came.any() and not before[1] < SOON:
        return np.full(len(came), before[0] / before[1])
    levels = np.full(len(came), np.nan)
    for row, loss in enumerate(memory.loss_curve.of(figures).loss.tolist()):
        if came[row]:
            before[:] = 0.0, 0.0
        if before[1] < SOON and not np.isnan(loss):
            before += loss, 1.0
        levels[row] = before[0] / before[1] if before[1] else np.nan
    return levels
