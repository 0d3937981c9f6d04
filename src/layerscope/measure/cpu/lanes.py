"""A large tensor's counts in lanes, which are then merged into the row of a table.

The upper 16 bits of a float32, sign, exponent and seven mantissa bits, are its place: nothing need
be computed. Each place has four counts, side by side, which elements take in turn: equal
neighbours, such as a ReLU's zeros, so don't wait for each other's store.
"""

import numpy as np

from layerscope.measure.bins import MANTISSA_BITS, ZERO
from layerscope.measure.cpu.block_figures import NORMAL
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import (
    add_i64,
    load_i16,
    load_i32,
    load_i64,
    store_i32,
    store_i64,
)
from layerscope.measure.cpu.table import LANES
from layerscope.measure.row_layout import Tallies

_NEGATIVE = 1 << 15
"""Places of negative numbers, and of -0, start here; those of positive ones, and of 0, at 0."""

_LOW = 0xFFFFFFFF


@jit
def count_in_lanes(block, size, lanes, by):  # type: ignore[no-untyped-def]
    """Count float32 at an address, each `by` times: 1, or -1 to take it back."""
    for i in range(size):
        place = np.int64(np.uint16(load_i16(block, 2 * i + 1))) * LANES + i % LANES
        store_i32(lanes, place, np.int32(load_i32(lanes, place) + by))


@jit
def _move(lanes, place, counts, index):  # type: ignore[no-untyped-def]
    """Move the counts of a place to one of the row; most places of a wide range hold none."""
    two, two_more = load_i64(lanes, 2 * place), load_i64(lanes, 2 * place + 1)
    if two | two_more:
        low, high = (two & _LOW) + (two_more & _LOW), ((two >> 32) & _LOW) + (two_more >> 32 & _LOW)
        add_i64(counts, index, low + high)
        store_i64(lanes, 2 * place, 0)
        store_i64(lanes, 2 * place + 1, 0)


@jit
def merge_lanes(lanes, counts, tallies):  # type: ignore[no-untyped-def]
    """Move the lanes' counts into the row, but for zeros; they are of normal numbers and zeros.

    Only the bins between the row's extremes can hold any.
    """
    near, far = load_i64(tallies, Tallies.NEAR), load_i64(tallies, Tallies.FAR)
    least = max(near - NORMAL - 1, 1 << MANTISSA_BITS)
    for place in range(least, far - NORMAL):
        _move(lanes, place, counts, ZERO + (NORMAL + 1 + place))
        _move(lanes, _NEGATIVE + place, counts, ZERO - (NORMAL + 1 + place))
    for zero in (0, _NEGATIVE):
        store_i64(lanes, 2 * zero, 0)
        store_i64(lanes, 2 * zero + 1, 0)
