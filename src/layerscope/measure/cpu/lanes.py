"""A large tensor's counts in lanes, which are then merged into the row of a table.

The upper 16 bits of a float32, sign, exponent and seven mantissa bits, are its place: nothing need
be computed. Each place has four counts, side by side, which elements take in turn: equal
neighbours, such as a ReLU's zeros, so don't wait for each other's store.
"""

from __future__ import annotations

import numpy as np

from layerscope.measure.bins import MANTISSA_BITS, ZERO
from layerscope.measure.cpu.block_figures import NORMAL
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import load_i16, load_i32, load_i64, store_i32, store_i64
from layerscope.measure.cpu.table import LANES
from layerscope.measure.row_layout import FAR, NEAR

_NEGATIVE = 1 << 15
"""Places of negative numbers, and of -0, start here; those of positive ones, and of 0, at 0."""


@jit
def count_in_lanes(block, size, lanes, by):  # type: ignore[no-untyped-def]
    """Count float32 at an address, each `by` times: 1, or -1 to take it back."""
    for i in range(size):
        place = np.int64(np.uint16(load_i16(block, 2 * i + 1))) * LANES + i % LANES
        store_i32(lanes, place, np.int32(load_i32(lanes, place) + by))


@jit
def _count_at(lanes, place):  # type: ignore[no-untyped-def]
    """The counts of a place added up, which are then 0."""
    count = np.int64(0)
    for lane in range(LANES):
        count += np.int64(np.uint32(load_i32(lanes, place * LANES + lane)))
        store_i32(lanes, place * LANES + lane, np.int32(0))
    return count


@jit
def merge_lanes(lanes, counts, tallies):  # type: ignore[no-untyped-def]
    """Move the lanes' counts into the row, but for zeros; they are of normal numbers and zeros.

    Only the bins between the row's extremes can hold any.
    """
    near, far = load_i64(tallies, NEAR), load_i64(tallies, FAR)
    least = max(near - NORMAL - 1, 1 << MANTISSA_BITS)
    for place in range(least, far - NORMAL):
        above, below = ZERO + (NORMAL + 1 + place), ZERO - (NORMAL + 1 + place)
        store_i64(counts, above, load_i64(counts, above) + _count_at(lanes, place))
        store_i64(counts, below, load_i64(counts, below) + _count_at(lanes, _NEGATIVE + place))
    _count_at(lanes, 0)
    _count_at(lanes, _NEGATIVE)
