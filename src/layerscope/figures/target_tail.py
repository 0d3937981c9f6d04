"""How much of a squared error a few targets hold."""

from collections import deque

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.figures.inputs import Matrix
from layerscope.figures.kept_between_looks import KeptBetweenLooks

Column = npt.NDArray[np.float64]

_FEWEST, _MOST = 256, 1024
"""Targets of the looks so far: of fewer, one percent is one or two."""

_PART = 100
_TAIL = 0.5
"""Of what is left without the farthest one: else that one is a row in other units, and no tail."""


class TargetTail(KeptBetweenLooks):
    """Remembers the last targets of a squared error of one output."""

    def __init__(self) -> None:
        self._targets: deque[float] = deque(maxlen=_MOST)

    def figures(self, view: LossView, values: Matrix, *, by_sample: bool) -> dict[str, float]:
        """Of a step: the share of the targets' squared deviations that the farthest one percent of
        those seen so far have, and the share of the step's squared error that its mean error makes.

        Args:
            values: of the output, float64 [samples, outputs].
            by_sample: whether each row is a sample, and no place of a map: most are ground there.
        """
        targets = view.targets
        if view.kind is not Loss.SQUARED_ERROR or targets is None or view.broadcast:
            return {}
        if targets.shape[1] != 1 or targets.shape != values.shape:
            return {}
        off = values - targets
        square = float(np.square(off).mean())
        figures = {"error_mean": float(off.mean()) ** 2 / square} if square > 0 else {}
        return figures | (self._tail(targets[:, 0]) if by_sample else {})

    def _tail(self, targets: Column) -> dict[str, float]:
        self._targets.extend(targets.tolist())
        seen = np.array(self._targets)
        off = np.abs(seen - np.median(seen))
        if len(seen) < _FEWEST or np.median(off) == 0:  # of mostly one value no logarithm is left
            return {}
        share, others = _share_of_farthest(seen), _share_of_farthest(np.delete(seen, off.argmax()))
        return {"target_tail": share if others > _TAIL else others}


def _share_of_farthest(values: Column) -> float:
    squares = np.sort(np.square(values - values.mean()))
    return float(squares[-max(len(values) // _PART, 1) :].sum() / squares.sum())
