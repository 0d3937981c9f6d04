"""Are the inputs of evaluation scaled otherwise than those of training?"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

from layerscope.figures.inputs import Matrix
from layerscope.figures.kept_between_looks import KeptBetweenLooks
from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Data

_LOOKS, _EVALUATED = 3, 2
"""Batches of training and of evaluation, at least; and most that are kept of training."""
_MOST = 32

_VALUES = 64
"""Of a batch, at least."""

_FAR, _APART = 10.0, 1.5
"""Times that all batches of the one are spread more widely than all of the other: whatever they
are; and where the one are pixels of 0 to 1, and the other were moved to have values below 0."""
_BELOW, _MOVED = 0.05, 0.25
"""Share of these; how far the mean has moved, in standard deviations."""


class EvaluatedInputs(KeptBetweenLooks):
    """Mean, deviation, ends and share below 0 of batches, exact zeros left out: a padding is 0.

    Batches, their sizes and lengths differ, and augmentation changes all of these: so all batches
    of evaluation must be apart from all of training, by a factor that it does not reach. Noise that
    is added in training alone leaves the mean, and it spreads pixels below 0 as well.
    """

    def __init__(self) -> None:
        self._trained: list[list[float]] = []
        self._evaluated: list[list[float]] = []

    def see(self, data: Sequence[Data], evaluated: Sequence[Pending[Tensor]]) -> float:
        """Deviation in evaluation / in training, if they are scaled differently; else 1.

        Args:
            data: of the first layers; judged where there is one, and it was called once.
            evaluated: what a first layer got in evaluation mode since the last look.
        """
        if len(data) == 1 and not data[0].is_part and len(self._trained) < _MOST:
            self._trained += _about(data[0].values.numpy())
        for each in evaluated:
            self._evaluated += _about(each.get().numpy())
        if len(self._trained) < _LOOKS or len(self._evaluated) < _EVALUATED:
            return 1.0
        one, other = np.array(self._trained), np.array(self._evaluated)
        far = _are_apart(one, other, _FAR) or _are_apart(other, one, _FAR)
        if not (far or _are_moved(one, other) or _are_moved(other, one)):
            return 1.0
        return float(np.median(other[:, 1]) / np.median(one[:, 1]))


def _about(values: Matrix) -> list[list[float]]:
    """What is kept of a batch; nothing of one that is too small, or all alike."""
    there = values[np.isfinite(values) & (values != 0)]
    if there.size < _VALUES or not there.std() > 0:
        return []
    below = float((there < 0).mean())
    return [
        [float(there.mean()), float(there.std()), float(there.min()), float(there.max()), below]
    ]


def _are_apart(wide: npt.NDArray[np.float64], narrow: npt.NDArray[np.float64], by: float) -> bool:
    return bool(wide[:, 1].min() > by * narrow[:, 1].max())


def _are_moved(scaled: npt.NDArray[np.float64], pixels: npt.NDArray[np.float64]) -> bool:
    """Whether the one are pixels of 0 to 1, and the other may be such, less a mean, divided by a
    deviation.
    """
    are_pixels = pixels[:, 2].min() >= 0 and 0.5 < pixels[:, 3].max() <= 1
    moved = pixels[:, 0].min() - scaled[:, 0].max() > _MOVED * np.median(scaled[:, 1])
    has_below = scaled[:, 4].min() > _BELOW
    return bool(are_pixels and has_below and moved and _are_apart(scaled, pixels, _APART))
