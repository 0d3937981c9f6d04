"""Does each step get the same batch, made anew; or the same samples, all of them at once?"""

import math
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.utils.data import DataLoader, SequentialSampler

from layerscope.figures.kept_between_looks import KeptBetweenLooks
from layerscope.live_objects import live_objects
from layerscope.record.ends.ends import Data

_LOOKS = 8
"""At which all data are those of the first look."""


class RepeatedBatch(KeptBetweenLooks):
    """Compares what a network gets at a look with what it got at the look before, until they differ
    or it is the same tensor: who trains on all data at once has those in one tensor.

    Then it looks once for a loader that would give more: it does not shuffle, its batches are of
    this size, and its data set has more samples.
    """

    def __init__(self) -> None:
        self._last: list[bytes] | None = None
        self._looks = 0
        self._is_over = False
        self._of = np.nan

    def see(self, data: Sequence[Data], tokens: Sequence[Tensor], is_kept: bool) -> float:
        """How many samples the data set has whose first batch was all that came so far, made anew
        each time; NaN if that is not known to be so.

        Args:
            is_kept: whether any of the tokens are the very tensor that came at the look before.
        """
        if self._is_over:
            return np.nan
        now = [_digest(each.values.numpy()) for each in data]
        now += [_digest(each.numpy()) for each in tokens]
        last, self._last = self._last, now
        if last is None:
            return np.nan
        is_same = is_kept or any(each.is_kept for each in data)
        if is_same or not now or last != now:
            self._is_over, self._last = True, None
            return np.nan
        self._looks += 1
        if self._looks == _LOOKS:
            rows = [each.rows for each in data] + [len(each) for each in tokens]
            self._of = max(map(_samples_of_a_loader, set(rows)))
        return self._of


def _digest(values: npt.NDArray[np.generic]) -> bytes:
    """Of the numbers and how many there are along each axis: 16 bytes, as a checkpoint holds it."""
    shape = repr(values.shape).encode()
    return blake2b(shape + values.tobytes(), digest_size=16).digest()


def _samples_of_a_loader(rows: int) -> float:
    """Of the largest data set that is read in order, by batches of so many samples, and has more;
    NaN without any.
    """
    found = [np.nan]
    (loaders,) = live_objects(DataLoader)
    for loader in loaders:
        if loader.batch_size != rows or not isinstance(loader.sampler, SequentialSampler):
            continue
        try:
            samples = len(loader.dataset)
        except Exception:  # it is the user's
            continue
        if samples > rows:
            found.append(float(samples))
    return float(np.fmax.reduce(found))


_SAME_LOOKS = 3
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
        return float(max(each.rows for each in data)) if self._looks >= _SAME_LOOKS else math.nan
