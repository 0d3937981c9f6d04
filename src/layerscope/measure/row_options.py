"""What each row of a tally is asked for, and each of a unit tally."""

from collections.abc import Sequence

import numpy as np

from layerscope.arguments import at_least
from layerscope.measure.row_layout import UNBOUNDED

EXACT = 1 << 62
"""As `max_elements`: every element of every tensor is counted in the bins."""


class RowOptions:
    """What a tally's rows are asked for, as arrays.

    Args:
        intervals: (low, high) per row: elements outside are counted (the saturated ones).
        axes: (left, right) per row: the least range that `linear` shows, for a bounded activation;
            None shows the measured range.
        logarithmic: per row, whether it is also shown as log10 |x|; none without it.
        max_elements: of a tensor with more, a random sample of this size makes the histogram; its
            moments, extremes, zeros and non-finite counts are exact all the same. A device with a
            tally of its own counts all elements.

    Attributes:
        intervals: float64 [rows, 2], infinite without any.
        axes: float64 [rows, 2], NaN for the measured range.
        logarithmic: bool [rows].

    Raises:
        ValueError: rows is negative, another argument has another length, or max_elements is below
            1.
    """

    def __init__(
        self,
        rows: int,
        intervals: Sequence[tuple[float, float]] | None = None,
        axes: Sequence[tuple[float, float] | None] | None = None,
        logarithmic: Sequence[bool] | None = None,
        max_elements: int = EXACT,
    ) -> None:
        at_least(0, rows=rows)
        at_least(1, max_elements=max_elements)
        lengths = {"intervals": intervals, "axes": axes, "logarithmic": logarithmic}
        for name, given in lengths.items():
            if given is not None and len(given) != rows:
                raise ValueError(f"{name} must have one entry per row, {rows}, got {len(given)}")
        unshown = (np.nan, np.nan)
        self.rows = rows
        self.max_elements = max_elements
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
