"""Exact figures of one tensor, or of many as if they were one."""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class MomentColumn(IntEnum):
    """Where an array has the fields of `Moments`: in their order."""

    COUNT = 0
    ZEROS = 1
    NAN = 2
    POSITIVE_INF = 3
    NEGATIVE_INF = 4
    OUTSIDE = 5
    MEAN = 6
    SQUARED_DEVIATIONS = 7
    ABSOLUTE_SUM = 8
    MINIMUM = 9
    MAXIMUM = 10


MOMENTS = len(MomentColumn)
"""Columns of such an array."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean, variance and extremes.

    The mean, the deviations, the extremes and the absolute sum are of the finite values only; the
    others are counted. Accumulated in float64 around a shift, so that a mean of 1e4 with a std of 1
    keeps its std.

    Attributes:
        count: elements, of every kind.
        zeros, nan, positive_inf, negative_inf: how many of them are such.
        outside: how many lie outside the closed interval that the measurement was given (the
            saturated ones, for a bounded activation). Infinities are outside, NaN is not.
        mean: 0 if nothing is finite.
        squared_deviations: sum of (x - mean)**2.
        absolute_sum: sum of abs(x).
        minimum, maximum: NaN if nothing is finite.
    """

    count: int = 0
    zeros: int = 0
    nan: int = 0
    positive_inf: int = 0
    negative_inf: int = 0
    outside: int = 0
    mean: float = 0.0
    squared_deviations: float = 0.0
    absolute_sum: float = 0.0
    minimum: float = math.nan
    maximum: float = math.nan

    @property
    def finite(self) -> int:
        """Elements that are neither NaN nor infinite."""
        return self.count - self.nan - self.positive_inf - self.negative_inf

    @property
    def nonfinite(self) -> int:
        """Elements that are NaN or infinite."""
        return self.count - self.finite

    @property
    def variance(self) -> float:
        """Of the finite values, with Bessel's correction as `torch.var`; NaN below two values."""
        return self.squared_deviations / (self.finite - 1) if self.finite > 1 else math.nan

    @property
    def std(self) -> float:
        """Square root of the variance, as `torch.std`."""
        return math.sqrt(self.variance)

    @property
    def rms(self) -> float:
        """Root of the mean square of the finite values; NaN if there is none."""
        if not self.finite:
            return math.nan
        # hypot: the square of a mean beyond 1e154 is an OverflowError of Python's.
        return math.hypot(math.sqrt(self.squared_deviations / self.finite), self.mean)

    @property
    def mean_abs(self) -> float:
        """Mean of abs(x) over the finite values; NaN if there is none."""
        return self.absolute_sum / self.finite if self.finite else math.nan


def merged(
    finite: Any, mean: Any, deviations: Any, finite_too: Any, mean_too: Any, deviations_too: Any
) -> tuple[Any, Any]:
    """Mean and squared deviations of two parts together, of numbers or of arrays of many rows.

    Chan, Golub, LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample
    variances", equation 2.1. A part without finite values has a mean and deviations of 0, and
    changes nothing, bit for bit. The kernels compile this function too: there is no other.

    Args:
        finite: elements of the one part that are finite.
        deviations: sum of their (x - mean)**2.
        finite_too: the same of the other part, and so are the others.

    >>> merged(2, 1.0, 0.0, 2, 3.0, 8.0), merged(0, 0.0, 0.0, 2, 3.0, 8.0)
    ((2.0, 12.0), (3.0, 8.0))
    """
    total = finite + finite_too
    share = finite_too / (total + (total == 0))
    apart = mean_too - mean
    # In this order nothing overflows where a part is empty.
    between = apart * (apart * (finite * share))
    return mean + apart * share, deviations + deviations_too + between
