"""What each row of a unit tally is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

UNBOUNDED = (-math.inf, math.inf)
"""As a row's `active`: its units cannot die, whatever they give."""


class UnitRows:
    """The rows' options as arrays; see `UnitTally` for their meaning.

    Args:
        count: how many rows.
        active: (low, high) per row.
        window: samples.

    Attributes:
        active: float64 [rows, 2].

    Raises:
        ValueError: count is negative, active has another length or an interval that holds no
            number, or window is below 1.
    """

    def __init__(self, count: int, active: Sequence[tuple[float, float]], window: int) -> None:
        if count < 0:
            raise ValueError(f"rows must be at least 0, got {count}")
        if len(active) != count:
            raise ValueError(f"active must have one entry per row, {count}, got {len(active)}")
        for interval in active:
            if not interval[0] < interval[1]:
                raise ValueError(f"active must be (low, high) with low < high, got {interval}")
        if window < 1:
            raise ValueError(f"window must be at least 1, got {window}")
        self.count = count
        self.active = np.array(active, np.float64).reshape(-1, 2)
        self.window = window


def units_and_inner(shape: Sequence[int], size: int, axis: int) -> tuple[int, int]:
    """How many units a tensor has, and how many of their neighbouring elements belong to one.

    >>> units_and_inner((32, 16, 100), 51_200, -1), units_and_inner((32, 16, 7, 7), 25_088, 1)
    ((100, 1), (16, 49))

    Raises:
        ValueError: axis is neither -1 nor 1.
    """
    if axis == -1:
        return shape[-1], 1
    if axis == 1:
        return shape[1], size // (shape[0] * shape[1])
    raise ValueError(f"axis must be -1 or 1, got {axis}")


def in_order(tensor: Tensor, axis: int) -> tuple[Tensor, int]:
    """A tensor as contiguous memory, and where its units are in it.

    What is in the order of torch.channels_last is features as it lies: it is not copied.
    """
    if axis == 1 and (moved := tensor.movedim(1, -1)).is_contiguous():
        return moved, -1
    return tensor.contiguous(), axis
