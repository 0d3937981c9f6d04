"""The histogram of a tensor, or of many as if they were one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from layerscope.measure.bins import MANTISSA_BITS, ZERO, bin_bounds
from layerscope.measure.moments import Moments


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts in float-bit bins, and exact moments; merges by addition.

    Attributes:
        bins: int64 [k], the occupied bins in ascending order of their values (see `bins`).
        counts: int64 [k], elements in each; they sum to `moments.finite` - `left_out`.
        moments: exact figures of all elements.
        left_out: finite elements that a sample left out of the counts.
        mantissa_bits: fineness of the bins.
    """

    bins: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]
    moments: Moments
    left_out: int = 0
    mantissa_bits: int = MANTISSA_BITS

    def __post_init__(self) -> None:
        if self.bins.shape != self.counts.shape:
            raise ValueError(
                f"bins and counts must have one shape, got {self.bins.shape} and "
                f"{self.counts.shape}"
            )
        total = int(self.counts.sum()) + self.left_out
        if total != self.moments.finite:
            raise ValueError(
                f"counts and left_out must sum to the number of finite elements, "
                f"{self.moments.finite}, got {total}"
            )

    def __add__(self, other: Histogram) -> Histogram:
        """The histogram of both parts together."""
        if self.mantissa_bits != other.mantissa_bits:
            raise ValueError(
                "histograms merge only with the same bins: mantissa_bits is "
                f"{self.mantissa_bits} here and {other.mantissa_bits} there"
            )
        bins, position = np.unique(np.concatenate([self.bins, other.bins]), return_inverse=True)
        counts = np.zeros(bins.shape, np.int64)
        np.add.at(counts, position, np.concatenate([self.counts, other.counts]))
        left_out = self.left_out + other.left_out
        moments = self.moments + other.moments
        return Histogram(bins, counts, moments, left_out, self.mantissa_bits)

    def quantile(self, share: float) -> float:
        """The value below which `share` of the finite elements lie.

        Within `bins.QUANTILE_ERROR` (0.4 %) of an element of that rank, for float32 and narrower
        kinds; never outside the minimum and the maximum.

        Raises:
            ValueError: share is outside 0 to 1, or nothing is finite.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share must be between 0 and 1, got {share}")
        if not self.moments.finite:
            raise ValueError("quantile needs at least one finite element, there is none")
        rank = share * (self.moments.finite - self.left_out - 1)
        at = int(np.searchsorted(np.cumsum(self.counts), rank, side="right"))
        low, high = bin_bounds(self.bins[at])
        middle = 0.0 if self.bins[at] == ZERO else (float(low) + float(high)) / 2
        return min(max(middle, self.moments.minimum), self.moments.maximum)
