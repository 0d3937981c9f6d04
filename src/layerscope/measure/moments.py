"""Exact figures of one tensor, or of many as if they were one."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean, variance and extremes; they merge by addition.

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
        return math.sqrt(self.squared_deviations / self.finite + self.mean**2)

    @property
    def mean_abs(self) -> float:
        """Mean of abs(x) over the finite values; NaN if there is none."""
        return self.absolute_sum / self.finite if self.finite else math.nan

    def __add__(self, other: Moments) -> Moments:
        """The moments of both parts together (Chan, Golub, LeVeque 1979, equation 2.1)."""
        if not self.finite or not other.finite:
            base = self if self.finite else other
            mean, deviations = base.mean, base.squared_deviations
            minimum, maximum = base.minimum, base.maximum
        else:
            total = self.finite + other.finite
            delta = other.mean - self.mean
            mean = self.mean + delta * (other.finite / total)
            deviations = (
                self.squared_deviations
                + other.squared_deviations
                + delta * delta * (self.finite * other.finite / total)
            )
            minimum = min(self.minimum, other.minimum)
            maximum = max(self.maximum, other.maximum)
        return Moments(
            count=self.count + other.count,
            zeros=self.zeros + other.zeros,
            nan=self.nan + other.nan,
            positive_inf=self.positive_inf + other.positive_inf,
            negative_inf=self.negative_inf + other.negative_inf,
            outside=self.outside + other.outside,
            mean=mean,
            squared_deviations=deviations,
            absolute_sum=self.absolute_sum + other.absolute_sum,
            minimum=minimum,
            maximum=maximum,
        )
