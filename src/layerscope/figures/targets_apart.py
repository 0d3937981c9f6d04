"""How far apart the targets of different samples are, output by output, in all looks so far."""

import math

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.losses.loss_kind import OF_BITS, Loss, LossView
from layerscope.figures.kept_between_looks import KeptBetweenLooks

_TOLD = (Loss.SQUARED_ERROR, *OF_BITS)


class TargetsApart(KeptBetweenLooks):
    """Remembers the smallest and the largest target of each output."""

    def __init__(self) -> None:
        self._ends: npt.NDArray[np.float64] | None = None

    def see(self, view: LossView) -> float:
        """The largest difference between two samples' targets of one output, of all that were
        seen; NaN where they are not known.
        """
        targets = view.targets
        if view.kind not in _TOLD or view.broadcast or targets is None or not targets.size:
            return math.nan
        ends = np.stack([targets.min(0), targets.max(0)])
        if self._ends is None:
            self._ends = ends
        if self._ends.shape != ends.shape:
            return math.inf
        self._ends = np.stack([np.fmin(self._ends[0], ends[0]), np.fmax(self._ends[1], ends[1])])
        return float((self._ends[1] - self._ends[0]).max())
