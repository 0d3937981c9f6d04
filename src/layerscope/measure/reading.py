"""What comes out of a tally: at once from the CPU, a few steps later from another device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from layerscope.measure.moments import Moments


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
    def carried(self) -> float:
        """Sum of the scalars that travelled along, such as the loss; 0 without any."""

    def moments_of(self, position: int) -> Moments:
        """The figures of the row at a position."""


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """A reading that is at hand; the attributes are those of `Reading`."""

    moments: npt.NDArray[np.float64]
    linear: npt.NDArray[np.float32]
    logarithmic: npt.NDArray[np.float32]
    carried: float = 0.0

    def moments_of(self, position: int) -> Moments:
        """The figures of the row at a position."""
        figures = self.moments[position].tolist()
        return Moments(*(int(x) for x in figures[:6]), *figures[6:])


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
    def carried(self) -> float:
        """See `Reading`."""
        return self.resolve().carried

    def moments_of(self, position: int) -> Moments:
        """The figures of the row at a position."""
        return self.resolve().moments_of(position)
