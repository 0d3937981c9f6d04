"""What each row of a unit tally is asked for."""

import math
from collections.abc import Sequence

import numpy as np

from layerscope.arguments import at_least

UNBOUNDED = (-math.inf, math.inf)
"""As a row's `active`: its units cannot die, whatever they give."""


class UnitOptions:
    """The rows' options as arrays; see `UnitTally` for their meaning.

    Args:
        active: (low, high) per row.
        window: samples.

    Attributes:
        active: float64 [rows, 2].

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
