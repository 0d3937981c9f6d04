"""What a block of elements adds to a row beside its bins: sums, extremes, and special values.

Two passes in vector instructions: extremes (as integers, which order like the floats), and sums in
float64. Both take every block whose elements are zero or normal float32 numbers; a block with a
NaN, an infinity, a subnormal float32, or a float64 beyond float32, adds nothing here: it goes
element by element.
"""

from functools import partial

import numpy as np

from layerscope.measure.bins import LOWEST_EXPONENT, MANTISSA_BITS
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.one_pass import one_pass, one_pass_without_limits
from layerscope.measure.cpu.raw_memory import (
    add_f64,
    add_i64,
    f32_from_bits,
    f64_from_bits,
    load_f32,
    load_f64,
    load_i32,
    load_i64,
    store_f32,
    store_f64,
    store_i64,
)
from layerscope.measure.row_layout import Sums, Tallies

TOP = 23 - MANTISSA_BITS
"""What a shift of a float32's bits by this many leaves is exponent and leading mantissa."""

# The first bin of a normal float32 follows the 23 octaves of the subnormal ones; 1 is its exponent.
NORMAL = ((-126 - LOWEST_EXPONENT) << MANTISSA_BITS) - (1 << MANTISSA_BITS)

_I = np.int32
_EXPONENT_ALL_ONES = 0x7F800000
_SMALLEST_NORMAL = 0x00800000
_BELOW_FLOAT32 = ~((1 << 29) - 1)  # mantissa bits of a float64 that a float32 has no room for


@jit
def _extremes(address, size):  # type: ignore[no-untyped-def]
    """Of float32: magnitudes' bits, ordered extremes, and zeros."""
    largest, smallest = _I(0), _I(0x7FFFFFFF)
    lowest, highest = _I(0x7FFFFFFF), _I(-0x80000000)
    zeros = _I(0)
    for i in range(size):
        bits = load_i32(address, i)
        absolute = _I(bits & _I(0x7FFFFFFF))
        sign = _I(bits >> _I(31))  # 0, or -1: x ^ sign - sign negates
        is_zero = absolute == _I(0)
        largest = max(largest, absolute)
        smallest = min(smallest, _I(0x7FFFFFFF) if is_zero else absolute)
        ordered = _I(_I(absolute ^ sign) - sign)
        lowest, highest = min(lowest, ordered), max(highest, ordered)
        zeros = _I(zeros + _I(is_zero))
    return largest, smallest, lowest, highest, zeros


@jit
def _outside(address, size, sums, minimum, maximum):  # type: ignore[no-untyped-def]
    """How many float32 are outside of a row's interval: of most rows none can be."""
    low, high = (np.float32(load_f64(sums, Sums.LOW)), np.float32(load_f64(sums, Sums.HIGH)))
    found = _I(0)
    if minimum < low or maximum > high:
        for i in range(size):
            value = load_f32(address, i)
            found = _I(found + _I((value < low) | (value > high)))
    return found


@jit
def narrow(address, size, target):  # type: ignore[no-untyped-def]
    """Float64 cut, not rounded, to float32: so each stays in its bin."""
    for i in range(size):
        store_f32(
            target, i, np.float32(f64_from_bits(load_i64(address, i) & np.int64(_BELOW_FLOAT32)))
        )


@jit
def _extremes_f64(address, size, low, high):  # type: ignore[no-untyped-def]
    """Ordered extremes of float64, elements outside, and those that are zero."""
    lowest, highest = np.int64(0x7FFFFFFFFFFFFFFF), np.int64(-0x7FFFFFFFFFFFFFFF)
    outside, zeros = np.int64(0), np.int64(0)
    for i in range(size):
        bits, value = load_i64(address, i), load_f64(address, i)
        sign = bits >> 63
        ordered = ((bits & 0x7FFFFFFFFFFFFFFF) ^ sign) - sign
        lowest, highest = min(lowest, ordered), max(highest, ordered)
        outside += np.int64((value < low) | (value > high))
        zeros += np.int64(value == 0.0)
    return lowest, highest, outside, zeros


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


@partial(jit, reassociate=True)
def _sums_f64(address, size, shift):  # type: ignore[no-untyped-def]
    total, squares, absolute = 0.0, 0.0, 0.0
    for i in range(size):
        value = load_f64(address, i)
        shifted = value - shift
        total += shifted
        squares += shifted * shifted
        absolute += abs(value)
    return total, squares, absolute


@jit
def _from_ordered(ordered):  # type: ignore[no-untyped-def]
    """The float32 whose sign-magnitude bits were made an ordered integer."""
    absolute = np.float64(f32_from_bits(_I(abs(ordered))))
    return -absolute if ordered < 0 else absolute


@jit
def _from_ordered_f64(ordered):  # type: ignore[no-untyped-def]
    absolute = f64_from_bits(abs(ordered))
    return -absolute if ordered < 0 else absolute


@jit
def _add(  # type: ignore[no-untyped-def]
    sums, tallies, totals, minimum, maximum, largest, smallest, zeros, outside
):
    total, squares, absolute = totals
    add_f64(sums, Sums.SUM, total)
    add_f64(sums, Sums.SQUARES, squares)
    add_f64(sums, Sums.ABSOLUTE, absolute)
    store_f64(sums, Sums.MINIMUM, min(load_f64(sums, Sums.MINIMUM), minimum))
    store_f64(sums, Sums.MAXIMUM, max(load_f64(sums, Sums.MAXIMUM), maximum))
    add_i64(tallies, Tallies.ZEROS, zeros)
    add_i64(tallies, Tallies.OUTSIDE, outside)
    if largest > 0:
        near = np.int64((smallest >> TOP) + NORMAL + 1)
        far = np.int64((largest >> TOP) + NORMAL + 1)
        store_i64(tallies, Tallies.NEAR, min(load_i64(tallies, Tallies.NEAR), near))
        store_i64(tallies, Tallies.FAR, max(load_i64(tallies, Tallies.FAR), far))


@jit
def add_figures(address, size, sums, tallies):  # type: ignore[no-untyped-def]
    """Add what float32 elements have beside their bins to a row, its SHIFT being set.

    Args:
        address: of the first element.
        size: elements, at least 1, at most a block.

    Returns:
        False, and nothing is added, where an element is neither zero nor normal.
    """
    largest, smallest, lowest, highest, zeros = _extremes(address, size)
    if largest >= _EXPONENT_ALL_ONES or smallest < _SMALLEST_NORMAL:
        return False
    totals = _sums(address, size, load_f64(sums, Sums.SHIFT))
    minimum, maximum = _from_ordered(lowest), _from_ordered(highest)
    outside = _outside(address, size, sums, minimum, maximum)
    _add(sums, tallies, totals, minimum, maximum, largest, smallest, zeros, outside)
    return True


@jit
def add_counted(address, size, sums, tallies, lanes):  # type: ignore[no-untyped-def]
    """The same, and the elements, a multiple of WIDTH, are counted in the lanes."""
    low, high = (np.float32(load_f64(sums, Sums.LOW)), np.float32(load_f64(sums, Sums.HIGH)))
    shift = load_f64(sums, Sums.SHIFT)
    if low > -np.inf or high < np.inf:
        found = one_pass(address, size, low, high, shift, lanes)
    else:
        found = one_pass_without_limits(address, size, low, high, shift, lanes)
    largest, less, minimum, maximum, zeros, outside, total, squares, absolute = found
    if largest >= _EXPONENT_ALL_ONES or less < np.uint32(_SMALLEST_NORMAL - 1):
        return False
    totals = total, squares, absolute
    smallest = _I(less + np.uint32(1))
    minimum, maximum = np.float64(minimum) + 0.0, np.float64(maximum) + 0.0  # 0.0, where it is -0.0
    _add(sums, tallies, totals, minimum, maximum, largest, smallest, zeros, outside)
    return True


@jit
def add_figures_f64(address, size, narrowed, sums, tallies):  # type: ignore[no-untyped-def]
    """The same as `add_figures` of float64; cut to float32, they are left at `narrowed`."""
    low, high = load_f64(sums, Sums.LOW), load_f64(sums, Sums.HIGH)
    lowest, highest, outside, zeros = _extremes_f64(address, size, low, high)
    narrow(address, size, narrowed)
    largest, smallest, _, _, narrow_zeros = _extremes(narrowed, size)
    if largest >= _EXPONENT_ALL_ONES or smallest < _SMALLEST_NORMAL or narrow_zeros != zeros:
        return False
    totals = _sums_f64(address, size, load_f64(sums, Sums.SHIFT))
    minimum, maximum = _from_ordered_f64(lowest), _from_ordered_f64(highest)
    _add(sums, tallies, totals, minimum, maximum, largest, smallest, zeros, outside)
    return True
