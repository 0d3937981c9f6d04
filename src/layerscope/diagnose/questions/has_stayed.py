"""Whether a loss has stayed at a level for so long."""

import numpy as np

from layerscope.diagnose.measured.figures import Flags, Series
from layerscope.diagnose.measured.loss_curve import FIRST, WINDOW, CurveOfBlock

_FALLING = 2.0
"""Standard errors: one that seems to fall is waited for."""


def has_stayed(
    there: Flags, curve: CurveOfBlock, least: int, before: Series
) -> tuple[Flags, Flags]:
    """Whether it has been so for as many steps, and whether the loss has not fallen meanwhile
    either, [steps] each.

    Args:
        there: whether it is so, [steps].
        before: for how many steps it was so before this block, and the level as that began, or a
            window later, by when what was before is out of it; afterwards, of the next.
    """
    count, first = np.nan_to_num(before[0]), before[1]
    rests, stayed = np.zeros((2, len(there)), bool)
    if not there.any():  # the usual
        before[0] = 0.0 if not np.isnan(curve.level).all() else before[0]
        return rests, stayed
    for row in np.flatnonzero(~np.isnan(curve.level)).tolist():
        count = count + 1 if there[row] else 0.0
        if count == WINDOW:
            first = curve.level[row]
        # The noise is that of FIRST losses against WINDOW; here are WINDOW against WINDOW.
        noise = curve.noise[row] * np.sqrt((2 / WINDOW) / (1 / FIRST + 1 / WINDOW))
        rests[row] = count >= least
        stayed[row] = rests[row] and first - curve.level[row] < _FALLING * noise
    before[:] = count, first
    return rests, stayed
