"""What each row of a tally is asked for, and each of a unit tally."""

from collections.abc import Sequence

import numpy as np

from layerscope.arguments import at_least
from layerscope.measure.row_layout import UNBOUNDED


class RowOptions:
    """The rows' options as arrays; see `Tally` for their meaning.

    Args:
        intervals: (low, high) per row.
        axes: (left, right) or None per row.
        logarithmic: per row.

    Attributes:
        intervals: float64 [rows, 2], infinite without any.
        axes: float64 [rows, 2], NaN for the measured range.
        logarithmic: bool [rows].

    Raises:
        ValueError: rows is negative, or another argument has another length.
    """

    def __init__(
        self,
        rows: int,
        intervals: Sequence[tuple[float, float]] | None = None,
        axes: Sequence[tuple[float, float] | None] | None = None,
        logarithmic: Sequence[bool] | None = None,
    ) -> None:
        at_least(0, rows=rows)
        lengths = {"intervals": intervals, "axes": axes, "logarithmic": logarithmic}
        for name, given in lengths.items():
            if given is not None and len(given) != rows:
                raise ValueError(f"{name} must have one entry per row, {rows}, got {len(given)}")
        unshown = (np.nan, np.nan)
        self.rows = rows
        self.intervals = np.array(intervals or [UNBOUNDED] * rows, np.float64).reshape(-1, 2)
        self.axes = np.array(
            [axis or unshown for axis in axes or [None] * rows], np.float64
        ).reshape(-1, 2)
        self.logarithmic = np.array(logarithmic or [False] * rows, np.bool_)


class UnitOptions:
    """The rows' options as arrays; see `UnitTally` for their meaning.

    Args:
        active: (low, high) per row.
        window: samples.

    Attributes:
        active: float64 [rows, 2]; units of a row that is UNBOUNDED cannot die, whatever they give.

    Raises:
        ValueError: rows is negative, active has another length or an interval that holds no
            number, or window is below 1.
    """

    def __init__(self, rows: int, active: Sequence[tuple[float, float]], window: int) -> None:
        at_least(0, rows=rows)
        if len(active) != rows:
            raise ValueError(f"active must have one entry per row, {rows}, got {len(active)}")
        for interval in active:
            if not interval[0] < interval[1]:
                raise ValueError(f"active must be (low, high) with low < high, got {interval}")
        at_least(1, window=window)
        self.rows = rows
        self.active = np.array(active, np.float64).reshape(-1, 2)
        self.window = window
