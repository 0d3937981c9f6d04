"""What comes out of a tally: at once from the CPU, a few steps later from another device."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from layerscope.measure.moments import Moments

BUCKETS = 30
"""What TensorBoard's histogram chart draws; more would be merged again by it."""

MOMENTS = 11
"""Figures per row, in the order of the fields of `Moments`."""

CARRIED = 8
"""Slots for scalars that travel along with a reading, such as the loss."""

NOTHING_CARRIED = (0.0,) * CARRIED

_MEAN, _DEVIATIONS, _ABSOLUTE, _MINIMUM, _MAXIMUM = range(6, 11)  # fields of Moments


class Reading(Protocol):
    """What the first k rows of a tally held."""

    @property
    def moments(self) -> npt.NDArray[np.float64]:
        """float64 [k, 11], the fields of `Moments` in their order."""

    @property
    def linear(self) -> npt.NDArray[np.float32]:
        """float32 [k, 30, 3], left, right and count of equal buckets between the extremes, or over
        the row's axis; all zero where nothing finite was measured.
        """

    @property
    def logarithmic(self) -> npt.NDArray[np.float32]:
        """The same of log10 |x|, the zeros in the first bucket; unset if not asked for."""

    @property
    def carried(self) -> tuple[float, ...]:
        """Of each of the CARRIED slots the sum of what was put there; 0 without any."""

    def moments_of(self, position: int) -> Moments:
        """The figures of the row at a position."""


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """A reading that is at hand; the attributes are those of `Reading`."""

    moments: npt.NDArray[np.float64]
    linear: npt.NDArray[np.float32]
    logarithmic: npt.NDArray[np.float32]
    carried: tuple[float, ...] = NOTHING_CARRIED

    def moments_of(self, position: int) -> Moments:
        """The figures of the row at a position."""
        figures = self.moments[position].tolist()
        return Moments(*(int(x) for x in figures[:6]), *figures[6:])

    def scaled(self, rows: npt.NDArray[np.bool_], factor: float) -> Figures:
        """The same with the values of some rows multiplied by a factor above 0.

        Args:
            rows: bool [k], which.
            factor: such as 1 / the loss scale, for gradients.
        """
        if factor == 1 or not rows.any():
            return self
        moments, linear, logarithmic = self.moments.copy(), self.linear.copy(), self.logarithmic
        for field in (_MEAN, _ABSOLUTE, _MINIMUM, _MAXIMUM):
            moments[rows, field] *= factor
        moments[rows, _DEVIATIONS] *= factor * factor
        linear[rows, :, :2] *= np.float32(factor)
        logarithmic = logarithmic.copy()
        logarithmic[rows, :, :2] += np.float32(math.log10(factor))
        return Figures(moments, linear, logarithmic, self.carried)


class PendingReading:
    """A reading that is on its way from the device; the attributes are those of `Reading`.

    Args:
        arrive: waits for the figures, if it must; called once, at the first access.
    """

    __slots__ = ("_arrive", "_figures")

    def __init__(self, arrive: Callable[[], Figures]) -> None:
        self._arrive: Callable[[], Figures] | None = arrive
        self._figures: Figures | None = None

    def resolve(self) -> Figures:
        """The figures; the first call may wait for the device."""
        if self._figures is None:
            assert self._arrive is not None
            self._figures = self._arrive()
            self._arrive = None  # the figures alone can be pickled
        return self._figures

    @property
    def moments(self) -> npt.NDArray[np.float64]:
        """See `Reading`."""
        return self.resolve().moments

    @property
    def linear(self) -> npt.NDArray[np.float32]:
        """See `Reading`."""
        return self.resolve().linear

    @property
    def logarithmic(self) -> npt.NDArray[np.float32]:
        """See `Reading`."""
        return self.resolve().logarithmic

    @property
    def carried(self) -> tuple[float, ...]:
        """See `Reading`."""
        return self.resolve().carried

    def moments_of(self, position: int) -> Moments:
        """The figures of the row at a position."""
        return self.resolve().moments_of(position)
