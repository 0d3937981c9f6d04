"""What each row of a tally is asked for."""

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
