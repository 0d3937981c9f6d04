"""The CPU kernel: one read of a tensor adds its counts and moments to a row of a table.

A tensor is taken in blocks that stay in the L1 cache, each in three passes: bin numbers and
extremes (vector instructions, int32), sums (vector instructions, float64), and the counts, one
increment per element, which is what the time goes into: one read-modify-write a cycle is the limit
of the machine. A block with a NaN, an infinity or a subnormal float32 goes element by element.

Nothing is allocated. The caller hands over addresses: see `memory` and `table`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from layerscope.measure.bins import BINS, LOWEST_EXPONENT, MAGNITUDES, MANTISSA_BITS, ZERO
from layerscope.measure.cpu.raw_memory import (
    bits_from_f64,
    f32_from_bits,
    increment_i64,
    increment_u32,
    load_f32,
    load_f64,
    load_i16,
    load_i32,
    load_i64,
    store_f32,
    store_f64,
    store_i32,
    store_i64,
)
from layerscope.measure.table import (
    ABSOLUTE,
    BLOCK,
    COUNT,
    FAR,
    FIELDS,
    HIGH,
    LANE_BYTES,
    LANES,
    LANES_PAY_FROM,
    LEFT_OUT,
    LOW,
    MAXIMUM,
    MINIMUM,
    NAN,
    NEAR,
    NEGATIVE_INF,
    OUTSIDE,
    POSITIVE_INF,
    ROW,
    SHIFT,
    SPARE,
    SQUARES,
    SUM,
    ZEROS,
)

FLOAT32, BFLOAT16, FLOAT16, FLOAT64 = range(4)
"""The kinds of elements that the kernel reads."""

_I = np.int32
_EXPONENT_ALL_ONES = 0x7F800000
_SMALLEST_NORMAL = 0x00800000
_TOP = 23 - MANTISSA_BITS  # what a shift of the bits leaves is exponent and leading mantissa
# The first bin of a normal float32 follows the 23 octaves of the subnormal ones; 1 is its exponent.
_NORMAL = ((-126 - LOWEST_EXPONENT) << MANTISSA_BITS) - (1 << MANTISSA_BITS)
_PARTS = (1 << MANTISSA_BITS) - 1
_REASSOCIATE = {
    "reassoc",
    "contract",
    "nsz",
}  # sums in vector lanes; NaN and inf keep their meaning


@njit(nogil=True, cache=True)
def magnitude_of(value):  # type: ignore[no-untyped-def]
    """Bins between zero and a finite value that is not zero: 1 to MAGNITUDES."""
    bits = bits_from_f64(value)
    octave = ((bits >> 52) & 0x7FF) - 1023 - LOWEST_EXPONENT
    if octave < 0:
        return 1
    part = (bits >> (52 - MANTISSA_BITS)) & _PARTS
    return min((octave << MANTISSA_BITS) + part, MAGNITUDES - 1) + 1


@njit(nogil=True, cache=True)
def _one_by_one(  # type: ignore[no-untyped-def]
    is_f64, address, size, first, last, low, high, counts, sums, tallies
):
    """Count elements of any value, NaN and infinities too; into the bins those of first:last."""
    for i in range(size):
        value = load_f64(address, i) if is_f64 else np.float64(load_f32(address, i))
        if value < low or value > high:
            _increment(tallies, OUTSIDE)
        if value != value:
            _increment(tallies, NAN)
            continue
        if abs(value) == np.inf:
            _increment(tallies, POSITIVE_INF if value > 0 else NEGATIVE_INF)
            continue
        if value == 0.0:
            _increment(tallies, ZEROS)
            _increment(counts, ZERO)
        else:
            magnitude = magnitude_of(value)
            store_i64(tallies, NEAR, min(load_i64(tallies, NEAR), magnitude))
            store_i64(tallies, FAR, max(load_i64(tallies, FAR), magnitude))
            if first <= i < last:
                _increment(counts, ZERO + magnitude if value > 0 else ZERO - magnitude)
            else:
                _increment(tallies, LEFT_OUT)
        shifted = value - load_f64(sums, SHIFT)
        store_f64(sums, SUM, load_f64(sums, SUM) + shifted)
        store_f64(sums, SQUARES, load_f64(sums, SQUARES) + shifted * shifted)
        store_f64(sums, ABSOLUTE, load_f64(sums, ABSOLUTE) + abs(value))
        store_f64(sums, MINIMUM, min(load_f64(sums, MINIMUM), value))
        store_f64(sums, MAXIMUM, max(load_f64(sums, MAXIMUM), value))


@njit(nogil=True, cache=True)
def _increment(address, index):  # type: ignore[no-untyped-def]
    store_i64(address, index, load_i64(address, index) + 1)


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True, fastmath=_REASSOCIATE)
def _sums(address, size, shift):  # type: ignore[no-untyped-def]
    total, squares, absolute = 0.0, 0.0, 0.0
    for i in range(size):
        value = np.float64(load_f32(address, i))
        shifted = value - shift
        total += shifted
        squares += shifted * shifted
        absolute += abs(value)
    return total, squares, absolute


@njit(nogil=True, cache=True)
def _count(bins, size, counts):  # type: ignore[no-untyped-def]
    for i in range(size):
        increment_i64(counts, load_i32(bins, i))


@njit(nogil=True, cache=True)
def _count_in_lanes(bins, size, lanes):  # type: ignore[no-untyped-def]
    whole = size & ~3
    for i in range(0, whole, 4):
        increment_u32(lanes, load_i32(bins, i))
        increment_u32(lanes + LANE_BYTES, load_i32(bins, i + 1))
        increment_u32(lanes + 2 * LANE_BYTES, load_i32(bins, i + 2))
        increment_u32(lanes + 3 * LANE_BYTES, load_i32(bins, i + 3))
    for i in range(whole, size):
        increment_u32(lanes, load_i32(bins, i))


@njit(nogil=True, cache=True)
def _not_zero(bins, size):  # type: ignore[no-untyped-def]
    found = 0
    for i in range(size):
        found += load_i32(bins, i) < BINS
    return found


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def _from_ordered(ordered):  # type: ignore[no-untyped-def]
    """The float32 whose sign-magnitude bits were made an ordered integer."""
    absolute = np.float64(f32_from_bits(_I(abs(ordered))))
    return -absolute if ordered < 0 else absolute


@njit(nogil=True, cache=True)
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
        _one_by_one(False, address, size, first, last, wide_low, wide_high, counts, sums, tallies)
        return
    total, squares, absolute = _sums(address, size, load_f64(sums, SHIFT))
    if lanes:
        _count_in_lanes(bins + 4 * first, last - first, lanes)
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


@njit(nogil=True, cache=True)
def _widen_bf16(address, size, target):  # type: ignore[no-untyped-def]
    for i in range(size):
        store_i32(target, i, _I(_I(load_i16(address, i)) << _I(16)))


@njit(nogil=True, cache=True)
def _widen_f16(address, size, target):  # type: ignore[no-untyped-def]
    """Exponent and mantissa moved into float32's places, and the bias put right by a product."""
    for i in range(size):
        half = _I(load_i16(address, i))
        absolute = _I(half & _I(0x7FFF))
        value = f32_from_bits(_I(absolute << _I(13))) * np.float32(2.0**112)
        if absolute >= _I(0x7C00):
            value = np.float32(np.inf) if absolute == _I(0x7C00) else np.float32(np.nan)
        store_f32(target, i, -value if half < _I(0) else value)


@njit(nogil=True, cache=True)
def _fold_range(lanes, counts, start, stop):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        added = np.int64(np.uint32(load_i32(lanes, i)))
        added += np.int64(np.uint32(load_i32(lanes + LANE_BYTES, i)))
        added += np.int64(np.uint32(load_i32(lanes + 2 * LANE_BYTES, i)))
        added += np.int64(np.uint32(load_i32(lanes + 3 * LANE_BYTES, i)))
        store_i64(counts, i, load_i64(counts, i) + added)
    for lane in range(LANES):
        for i in range(start, stop):
            store_i32(lanes + lane * LANE_BYTES, i, _I(0))


@njit(nogil=True, cache=True)
def _fold(lanes, counts, tallies):  # type: ignore[no-untyped-def]
    """Move the lanes' counts into the row: only the bins between its extremes can hold any."""
    near, far = load_i64(tallies, NEAR), load_i64(tallies, FAR)
    _fold_range(lanes, counts, ZERO - far, ZERO - near + 1)
    _fold_range(lanes, counts, ZERO + near, ZERO + far + 1)


@njit(nogil=True, cache=True)
def _first_finite(is_f64, address, size):  # type: ignore[no-untyped-def]
    for i in range(size):
        value = load_f64(address, i) if is_f64 else np.float64(load_f32(address, i))
        if abs(value) < np.inf:
            return value
    return 0.0


@njit(nogil=True, cache=True)
def add_to_row(kind, address, size, row, table, most):  # type: ignore[no-untyped-def]
    """Add `size` contiguous elements to a row of a table.

    Args:
        kind: FLOAT32, BFLOAT16, FLOAT16 or FLOAT64.
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
            elif kind == BFLOAT16:
                _widen_bf16(address + 2 * start, length, wide)
            else:
                _widen_f16(address + 2 * start, length, wide)
            if fresh:
                store_f64(sums, SHIFT, _first_finite(kind == FLOAT64, block, length))
                fresh = False
            if kind == FLOAT64:
                low, high = load_f64(sums, LOW), load_f64(sums, HIGH)
                _one_by_one(True, block, length, first, last, low, high, counts, sums, tallies)
            else:
                _block(block, length, first, last, counts, sums, tallies, used, bins)
        if used:
            _fold(lanes, counts, tallies)
    infinities = load_i64(tallies, POSITIVE_INF) + load_i64(tallies, NEGATIVE_INF)
    return load_i64(tallies, NAN) + infinities
