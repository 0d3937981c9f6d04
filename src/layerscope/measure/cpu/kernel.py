"""The CPU kernel: one read of a tensor adds its counts and moments to a row of a table.

A tensor is taken in blocks that stay in the L1 cache, each in three passes: bin numbers and
extremes (vector instructions, int32), sums (vector instructions, float64), and the counts, one
increment per element, which is what the time goes into: one read-modify-write a cycle is the limit
of the machine. A block with a NaN, an infinity or a subnormal float32 goes element by element.

Nothing is allocated. The caller hands over addresses: see `raw_memory` and `table`.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from layerscope.measure.bins import BINS, LOWEST_EXPONENT, MANTISSA_BITS, ZERO
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.elements import add_elements, first_finite
from layerscope.measure.cpu.kinds import FLOAT32, FLOAT64
from layerscope.measure.cpu.lanes import count_in_lanes, merge_lanes
from layerscope.measure.cpu.raw_memory import (
    f32_from_bits,
    increment_i64,
    load_f32,
    load_f64,
    load_i32,
    load_i64,
    store_f64,
    store_i32,
    store_i64,
)
from layerscope.measure.cpu.table import BLOCK, LANE_BYTES, LANES, LANES_PAY_FROM, ROW, SPARE
from layerscope.measure.cpu.widen import widen
from layerscope.measure.row_layout import (
    ABSOLUTE,
    COUNT,
    FAR,
    FIELDS,
    HIGH,
    LEFT_OUT,
    LOW,
    MAXIMUM,
    MINIMUM,
    NAN,
    NEAR,
    NEGATIVE_INF,
    OUTSIDE,
    POSITIVE_INF,
    SHIFT,
    SQUARES,
    SUM,
    ZEROS,
)

_I = np.int32
_EXPONENT_ALL_ONES = 0x7F800000
_SMALLEST_NORMAL = 0x00800000
_TOP = 23 - MANTISSA_BITS  # what a shift of the bits leaves is exponent and leading mantissa
# The first bin of a normal float32 follows the 23 octaves of the subnormal ones; 1 is its exponent.
_NORMAL = ((-126 - LOWEST_EXPONENT) << MANTISSA_BITS) - (1 << MANTISSA_BITS)


@jit
def _bins_and_extremes(address, size, low, high, bins):  # type: ignore[no-untyped-def]
    """Bin numbers of float32 into `bins`; exponent range, order range, zeros and outside counts."""
    largest, smallest = _I(0), _I(0x7FFFFFFF)
    lowest, highest = _I(0x7FFFFFFF), _I(-0x80000000)
    zeros, outside = _I(0), _I(0)
    for i in range(size):
        bits = load_i32(address, i)
        value = load_f32(address, i)
        absolute = _I(bits & _I(0x7FFFFFFF))
        sign = _I(bits >> _I(31))  # 0, or -1: x ^ sign - sign negates
        is_zero = absolute == _I(0)
        largest = max(largest, absolute)
        smallest = min(smallest, _I(0x7FFFFFFF) if is_zero else absolute)
        ordered = _I(_I(absolute ^ sign) - sign)
        lowest, highest = min(lowest, ordered), max(highest, ordered)
        zeros = _I(zeros + _I(is_zero))
        outside = _I(outside + _I((value < low) | (value > high)))
        magnitude = _I(_I(absolute >> _I(_TOP)) + _I(_NORMAL + 1))
        index = _I(_I(ZERO) + _I(_I(magnitude ^ sign) - sign))
        store_i32(bins, i, _I(BINS + (i & (SPARE - 1))) if is_zero else index)
    return largest, smallest, lowest, highest, zeros, outside


@partial(jit, reassociate=True)
def _sums(address, size, shift):  # type: ignore[no-untyped-def]
    total, squares, absolute = 0.0, 0.0, 0.0
    for i in range(size):
        value = np.float64(load_f32(address, i))
        shifted = value - shift
        total += shifted
        squares += shifted * shifted
        absolute += abs(value)
    return total, squares, absolute


@jit
def _count(bins, size, counts):  # type: ignore[no-untyped-def]
    for i in range(size):
        increment_i64(counts, load_i32(bins, i))


@jit
def _not_zero(bins, size):  # type: ignore[no-untyped-def]
    found = 0
    for i in range(size):
        found += load_i32(bins, i) < BINS
    return found


@jit
def _sampled(size, share, table):  # type: ignore[no-untyped-def]
    """A run of a block, first:last, that has this share of its elements and lies anywhere in it."""
    length = min(size, max(1, np.int64(size * share + 0.5)))
    state = load_i64(table, 4)  # xorshift64: Marsaglia 2003, "Xorshift RNGs"
    state ^= state << 13
    state ^= np.int64(np.uint64(state) >> np.uint64(7))
    state ^= state << 17
    store_i64(table, 4, state)
    first = np.int64(np.uint64(state) % np.uint64(size - length + 1))
    return first, first + length


@jit
def _from_ordered(ordered):  # type: ignore[no-untyped-def]
    """The float32 whose sign-magnitude bits were made an ordered integer."""
    absolute = np.float64(f32_from_bits(_I(abs(ordered))))
    return -absolute if ordered < 0 else absolute


@jit
def _block(  # type: ignore[no-untyped-def]
    address, size, first, last, counts, sums, tallies, lanes, bins
):
    """Count one block of float32 into its row; its bins into the lanes, unless they are 0.

    Into the bins go the elements of first:last; all of them, unless it is a sample.
    """
    low, high = np.float32(load_f64(sums, LOW)), np.float32(load_f64(sums, HIGH))
    largest, smallest, lowest, highest, zeros, outside = _bins_and_extremes(
        address, size, low, high, bins
    )
    if largest >= _EXPONENT_ALL_ONES or smallest < _SMALLEST_NORMAL:
        wide_low, wide_high = np.float64(low), np.float64(high)
        add_elements(False, address, size, first, last, wide_low, wide_high, counts, sums, tallies)
        return
    total, squares, absolute = _sums(address, size, load_f64(sums, SHIFT))
    if lanes:
        count_in_lanes(bins + 4 * first, last - first, lanes)
    else:
        _count(bins + 4 * first, last - first, counts)
    if last - first < size:
        left_out = size - zeros - _not_zero(bins + 4 * first, last - first)
        store_i64(tallies, LEFT_OUT, load_i64(tallies, LEFT_OUT) + left_out)
    store_i64(counts, ZERO, load_i64(counts, ZERO) + zeros)
    store_f64(sums, SUM, load_f64(sums, SUM) + total)
    store_f64(sums, SQUARES, load_f64(sums, SQUARES) + squares)
    store_f64(sums, ABSOLUTE, load_f64(sums, ABSOLUTE) + absolute)
    store_f64(sums, MINIMUM, min(load_f64(sums, MINIMUM), _from_ordered(lowest)))
    store_f64(sums, MAXIMUM, max(load_f64(sums, MAXIMUM), _from_ordered(highest)))
    store_i64(tallies, ZEROS, load_i64(tallies, ZEROS) + zeros)
    store_i64(tallies, OUTSIDE, load_i64(tallies, OUTSIDE) + outside)
    if largest > 0:
        near = np.int64((smallest >> _TOP) + _NORMAL + 1)
        far = np.int64((largest >> _TOP) + _NORMAL + 1)
        store_i64(tallies, NEAR, min(load_i64(tallies, NEAR), near))
        store_i64(tallies, FAR, max(load_i64(tallies, FAR), far))


@jit
def add_to_row(kind, address, size, row, table, most):  # type: ignore[no-untyped-def]
    """Add `size` contiguous elements to a row of a table.

    Args:
        kind: of `kinds`.
        address: of the first element.
        size: elements; 0 is allowed.
        row: of the table.
        table: `Table.address`.
        most: elements that are counted in the bins. Of a larger tensor a random run of each block
            is; its moments, extremes, zeros and non-finite counts are exact all the same.

    Returns:
        How many NaN and infinities the row holds now.
    """
    counts = load_i64(table, 0) + row * ROW * 8
    sums = load_i64(table, 1) + row * FIELDS * 8
    tallies = load_i64(table, 2) + row * FIELDS * 8
    lanes = load_i64(table, 3)
    bins = lanes + LANES * LANE_BYTES
    wide = bins + 4 * BLOCK

    fresh = load_i64(tallies, COUNT) == 0
    store_i64(tallies, COUNT, load_i64(tallies, COUNT) + size)
    used = lanes if min(size, most) >= LANES_PAY_FROM else 0
    # A lane is a uint32: it is emptied before it could overflow.
    for part in range(0, size, 1 << 32):
        for start in range(part, min(size, part + (1 << 32)), BLOCK):
            length = min(size - start, BLOCK)
            first, last = 0, length
            if most < size:
                first, last = _sampled(length, most / size, table)
            block = wide
            if kind == FLOAT32:
                block = address + 4 * start
            elif kind == FLOAT64:
                block = address + 8 * start
            else:
                widen(kind, address + 2 * start, length, wide)
            if fresh:
                store_f64(sums, SHIFT, first_finite(kind == FLOAT64, block, length))
                fresh = False
            if kind == FLOAT64:
                low, high = load_f64(sums, LOW), load_f64(sums, HIGH)
                add_elements(True, block, length, first, last, low, high, counts, sums, tallies)
            else:
                _block(block, length, first, last, counts, sums, tallies, used, bins)
        if used:
            merge_lanes(lanes, counts, tallies)
    infinities = load_i64(tallies, POSITIVE_INF) + load_i64(tallies, NEGATIVE_INF)
    return load_i64(tallies, NAN) + infinities
