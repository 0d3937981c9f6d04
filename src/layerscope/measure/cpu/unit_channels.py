"""A unit's neighbours, as a channel has them: each run of them is reduced by itself.

They are taken as integers that are ordered like the floats, since LLVM puts no float minimum that
minds NaN into lanes. An infinity, or a NaN, shows in the extremes that come out, and only then
elements are looked at one by one. float64 always goes so.
"""

import numpy as np

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.kinds import FLOAT32, FLOAT64
from layerscope.measure.cpu.raw_memory import (
    f32_from_bits,
    load_f32,
    load_f64,
    load_i32,
    load_i64,
    store_f64,
    store_i64,
)
from layerscope.measure.cpu.unit_elements import merge_run
from layerscope.measure.cpu.unit_table import TILE, WIDE_ROWS
from layerscope.measure.cpu.widen import widen
from layerscope.measure.unit_blocks import ACTIVE, MAXIMUM, MINIMUM

_I = np.int32
_EXPONENT_ALL_ONES = 0x7F800000


@jit
def _is_active(address, length, low, high):  # type: ignore[no-untyped-def]
    """Whether one of neighbouring float32 lies strictly between."""
    found = _I(0)
    for i in range(length):
        value = load_f32(address, i)
        found = _I(found | _I((value > low) & (value < high)))
    return found != 0


@jit
def _run(address, length, low, high, block, capacity):  # type: ignore[no-untyped-def]
    """Merge neighbouring float32 into one unit."""
    lowest, highest = _I(0x7FFFFFFF), _I(-0x80000000)
    for i in range(length):
        bits = load_i32(address, i)
        ordered = _I(bits ^ _I(_I(bits >> _I(31)) & _I(0x7FFFFFFF)))
        lowest, highest = min(lowest, ordered), max(highest, ordered)
    if highest >= _EXPONENT_ALL_ONES or lowest < -_EXPONENT_ALL_ONES:
        wide_low, wide_high = np.float64(low), np.float64(high)
        merge_run(False, address, length, wide_low, wide_high, block, capacity)
        return
    minimum, maximum = _from_ordered(lowest), _from_ordered(highest)
    least, most = MINIMUM * capacity, MAXIMUM * capacity
    store_f64(block, least, min(load_f64(block, least), minimum))
    store_f64(block, most, max(load_f64(block, most), maximum))
    # Where an extreme lies between, it is active; where both lie beyond, all are looked at.
    may_be = load_i64(block, ACTIVE * capacity) == 0 and minimum < high and maximum > low
    if may_be and (minimum > low or maximum < high or _is_active(address, length, low, high)):
        store_i64(block, ACTIVE * capacity, 1)


@jit
def _from_ordered(ordered):  # type: ignore[no-untyped-def]
    """The float32 whose bits were made an integer ordered like the floats, -0 below 0."""
    bits = _I(ordered ^ _I(_I(ordered >> _I(31)) & _I(0x7FFFFFFF)))
    return np.float64(f32_from_bits(bits))


@jit
def merge_channel(  # type: ignore[no-untyped-def]
    kind, address, length, low, high, block, capacity, scratch
):
    """Merge neighbours into the one unit that they belong to."""
    near, far = np.float32(low), np.float32(high)
    if kind == FLOAT64:
        merge_run(True, address, length, low, high, block, capacity)
    elif kind == FLOAT32:
        _run(address, length, near, far, block, capacity)
    else:
        wide, most = scratch + 4 * 3 * TILE, TILE * WIDE_ROWS
        for start in range(0, length, most):
            size = min(most, length - start)
            widen(kind, address + 2 * start, size, wide)
            _run(wide, size, near, far, block, capacity)
