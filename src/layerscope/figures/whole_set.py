"""Does each step get the same samples, all of them at once?"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from layerscope.figures.kept_between_looks import KeptBetweenLooks
from layerscope.record.ends.ends import Data

_LOOKS = 3
"""At which two batches with the same sums are the same samples beyond doubt."""

_Sums = npt.NDArray[np.float64]

_ALIKE = 1e-6
"""Relative: the sums of one batch in two orders differ by rounding, in float32 inputs' sixteenth
digit; those of two batches of n samples by about 1 / sqrt(n)."""


class WholeSet(KeptBetweenLooks):
    """Compares, at each look, two sums over the samples with those of the first look."""

    def __init__(self) -> None:
        self._first: list[_Sums] | None = None
        self._looks = 0
        self._differed = False

    def see(self, data: Sequence[Data]) -> float:
        """How many samples each batch has, if all so far were the same ones, in whatever order; 0
        if they were not, NaN where nobody can tell.
        """
        if self._differed:
            return 0.0
        sums = [each.summed.get().numpy() for each in data if each.summed is not None]
        first = self._first = self._first or sums
        if not sums or len(sums) != len(first):
            self._first, self._looks = None, 0
            return math.nan
        pairs = zip(sums, first, strict=True)
        if not all(np.allclose(one, other, rtol=_ALIKE, atol=0.0) for one, other in pairs):
            self._differed = True
            return 0.0
        self._looks += 1
        if any(each.is_part for each in data):  # the others may differ
            return math.nan
        return float(max(each.rows for each in data)) if self._looks >= _LOOKS else math.nan
