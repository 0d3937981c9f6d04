"""What a unit tally says of one step: at once from the CPU, a few steps later from a device."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

UNITS, SILENT, DEAD, SINCE, REVIVED, SPREAD = range(6)
"""Columns of `UnitReading.figures`."""

COLUMNS = 6


class UnitReading:
    """The figures of one step; where they come from a device, the first look may wait for it.

    Args:
        arrive: gives the figures; called once, at the first look.
    """

    __slots__ = ("_arrive", "_figures")

    def __init__(self, arrive: Callable[[], npt.NDArray[np.float64]]) -> None:
        self._arrive: Callable[[], npt.NDArray[np.float64]] | None = arrive
        self._figures: npt.NDArray[np.float64] | None = None

    @property
    def figures(self) -> npt.NDArray[np.float64]:
        """float64 [rows, COLUMNS]; of a row that nothing was added to: UNITS 0, the others NaN.

        UNITS: how many the row has. SILENT: of these, not active on any sample of the step. DEAD:
        not active on at least `window` samples in a row, up to now. SINCE: the step from which the
        dead unit that has been silent longest has been so; NaN if none is dead. REVIVED: dead when
        the row was read before, and active in this step. SPREAD: the largest range of a unit over
        the step's samples, as a share of the largest magnitude of any unit, 0 to 2: at 0 the layer
        says the same whatever goes in; 0 if all is zero, NaN of fewer than 2 samples or without
        finite values.
        """
        if self._figures is None:
            assert self._arrive is not None
            self._figures = self._arrive()
            self._arrive = None  # the figures alone can be pickled
        return self._figures
