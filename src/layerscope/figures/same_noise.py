"""Is the noise that data are mixed with the same at each step?"""

from collections.abc import Sequence

import numpy as np

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.figures.inputs import Matrix, rms
from layerscope.figures.kept_between_looks import KeptBetweenLooks

_CLOSE = 1e-3
"""Relative: a target is found as a difference, in float32."""

_DIFFERENT = 16
"""Numbers, at least: of labels the same may stand in each batch."""

_LOUD = 0.05
"""Of the inputs' size: less noise is rounding."""

_MOST = 4096
"""Numbers that are kept of each: a checkpoint holds them."""


class SameNoise(KeptBetweenLooks):
    """Compares, look by look, the targets of a squared error, which may be the noise itself, and
    what they differ by from inputs of their shape, while the inputs change.
    """

    def __init__(self) -> None:
        self._inputs: Matrix | None = None
        self._before: list[Matrix] = []
        self._looks = 0

    def see(self, view: LossView, values: Matrix, data: Sequence[Matrix]) -> float:
        """At how many looks in a row so far either was what it was at the look before; NaN where
        there are no targets to compare.

        Args:
            values: of the output, [samples, outputs].
            data: [samples, features] each, of what the network and its first layers get.
        """
        targets = view.targets
        if view.kind is not Loss.SQUARED_ERROR or view.broadcast or targets is None or not data:
            return np.nan
        like = [each for each in data if each.shape == targets.shape == values.shape]
        # Of targets of another shape the same may come with data that are changed each time.
        now = [targets, *(each - targets for each in like)] if like else []
        now = [_first(each) for each in now]
        size, given = rms(data[0]), _first(data[0])
        inputs, self._inputs = self._inputs, given
        before, self._before = self._before, now
        if inputs is None or inputs.shape != given.shape or len(before) != len(now):
            self._looks = 0
            return 0.0
        changed = np.abs(inputs - given).max() > _CLOSE * size
        same = changed and any(_are_same(*pair, size) for pair in zip(before, now, strict=True))
        self._looks = self._looks + 1 if same else 0
        return float(self._looks)


def _first(values: Matrix) -> Matrix:
    """Of [samples, features], the first samples' numbers, one at least."""
    return values.ravel()[:_MOST]


def _are_same(before: Matrix, now: Matrix, size: float) -> bool:
    if before.shape != now.shape or not rms(now) > _LOUD * size:
        return False
    if np.abs(before - now).max() > _CLOSE * rms(now):
        return False
    return len(np.unique(now.round(4))) >= _DIFFERENT
