"""The CPU kernel: one read of a tensor finds each unit's extremes, and whether it was active.

A tensor is [outer, units, inner]. Features (inner is 1) are taken in tiles of units, four samples
at a time, side by side in vector lanes; of channels each run of `inner` neighbours is reduced by
itself, as integers that are ordered like the floats, since LLVM puts no float minimum that minds
NaN into lanes. Either finds an infinity, or a NaN, by the extremes that come out, and only then
looks element by element. float64 always goes element by element.

Nothing is allocated. The caller hands over addresses: see `raw_memory` and `unit_table`.
"""

from __future__ import annotations

import numpy as np

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.kinds import FLOAT32, FLOAT64
from layerscope.measure.cpu.raw_memory import (
    add_i64,
    f32_from_bits,
    load_f32,
    load_f64,
    load_i32,
    load_i64,
    store_f32,
    store_f64,
    store_i32,
    store_i64,
)
from layerscope.measure.cpu.unit_elements import merge_columns, merge_run
from layerscope.measure.cpu.unit_table import (
    BLOCK,
    CAPACITY,
    HEAD,
    HEADS,
    INTERVALS,
    SAMPLES,
    SCRATCH,
    TILE,
    WIDE_ROWS,
)
from layerscope.measure.cpu.widen import widen
from layerscope.measure.unit_blocks import ACTIVE, MAXIMUM, MINIMUM

_I = np.int32
_EXPONENT_ALL_ONES = 0x7F800000


@jit
def _extremes(address, rows, stride, columns, scratch):  # type: ignore[no-untyped-def]
    """Extremes of each column of float32 into the scratch; NaN is passed over."""
    for j in range(columns):
        store_f32(scratch, j, np.float32(np.inf))
        store_f32(scratch, j + TILE, np.float32(-np.inf))
    last = rows - 1
    for i in range(0, rows, 4):  # the last row fills up: taken twice, it changes nothing
        first, second = i * stride, min(i + 1, last) * stride
        third, fourth = min(i + 2, last) * stride, min(i + 3, last) * stride
        for j in range(columns):
            a, b = load_f32(address, first + j), load_f32(address, second + j)
            c, d = load_f32(address, third + j), load_f32(address, fourth + j)
            least, most = load_f32(scratch, j), load_f32(scratch, j + TILE)
            # Not min and max: of these comparisons, false for NaN, each is one instruction.
            least = a if a < least else least
            least = b if b < least else least
            least = c if c < least else least
            least = d if d < least else least
            most = a if a > most else most
            most = b if b > most else most
            most = c if c > most else most
            most = d if d > most else most
            store_f32(scratch, j, least)
            store_f32(scratch, j + TILE, most)


@jit
def _activity(address, rows, stride, columns, low, high, scratch):  # type: ignore[no-untyped-def]
    """Whether each column, of which the extremes are known, was active, into the scratch.

    Where an extreme lies between, it was; where both lie beyond, elements are looked at until one
    does, of which the first few rows are mostly enough.
    """
    for j in range(columns):
        least, most = load_f32(scratch, j), load_f32(scratch, j + TILE)
        may_be, is_active = (least < high) & (most > low), (least > low) | (most < high)
        known = _I(may_be & is_active) | _I(_I(not may_be) << _I(1))  # 0: not known; 2: it was not
        store_i32(scratch, j + 2 * TILE, known)
    for first in range(0, rows, 8):
        unknown = _I(0)
        for j in range(columns):
            unknown = _I(unknown | _I(load_i32(scratch, j + 2 * TILE) == _I(0)))
        if unknown == 0:
            break
        for i in range(first, min(first + 8, rows)):
            for j in range(columns):
                value = load_f32(address, i * stride + j)
                found = _I((value > low) & (value < high))
                store_i32(scratch, j + 2 * TILE, _I(load_i32(scratch, j + 2 * TILE) | found))


@jit
def _infinite(scratch, columns):  # type: ignore[no-untyped-def]
    found = _I(0)
    for j in range(columns):
        least, most = load_f32(scratch, j), load_f32(scratch, j + TILE)
        found |= _I((least == np.float32(-np.inf)) | (most == np.float32(np.inf)))
    return found != 0


@jit
def _columns(  # type: ignore[no-untyped-def]
    address, rows, stride, columns, low, high, block, capacity, scratch
):
    """Merge a matrix of float32, `stride` elements from row to row, into units."""
    _extremes(address, rows, stride, columns, scratch)
    if _infinite(scratch, columns):
        wide_low, wide_high = np.float64(low), np.float64(high)
        merge_columns(False, address, rows, stride, columns, wide_low, wide_high, block, capacity)
        return
    for j in range(columns):
        value, known = np.float64(load_f32(scratch, j)), load_f64(block, MINIMUM * capacity + j)
        store_f64(block, MINIMUM * capacity + j, value if value < known else known)
    for j in range(columns):
        value = np.float64(load_f32(scratch, j + TILE))
        known = load_f64(block, MAXIMUM * capacity + j)
        store_f64(block, MAXIMUM * capacity + j, value if value > known else known)
    _activity(address, rows, stride, columns, low, high, scratch)
    for j in range(columns):
        active = np.int64(load_i32(scratch, j + 2 * TILE) & _I(1))
        active |= load_i64(block, ACTIVE * capacity + j)
        store_i64(block, ACTIVE * capacity + j, active)


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
def _features(  # type: ignore[no-untyped-def]
    kind, address, samples, stride, columns, low, high, block, capacity, scratch
):
    """Merge a tile of [samples, units] into its units."""
    near, far = np.float32(low), np.float32(high)  # 32 bits and fewer are compared as float32
    if kind == FLOAT64:
        merge_columns(True, address, samples, stride, columns, low, high, block, capacity)
    elif kind == FLOAT32:
        _columns(address, samples, stride, columns, near, far, block, capacity, scratch)
    else:
        wide, at_once, width = scratch + 4 * 3 * TILE, WIDE_ROWS, TILE
        if columns == stride:  # whole samples are neighbours: as many as there is room for
            at_once, width = TILE * WIDE_ROWS // columns, columns
        for sample in range(0, samples, at_once):
            rows, at = min(at_once, samples - sample), address + 2 * sample * stride
            if columns == stride:
                widen(kind, at, rows * columns, wide)
            else:
                for i in range(rows):
                    widen(kind, at + 2 * i * stride, columns, wide + 4 * TILE * i)
            _columns(wide, rows, width, columns, near, far, block, capacity, scratch)


@jit
def _channel(  # type: ignore[no-untyped-def]
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


@jit
def add_range(  # type: ignore[no-untyped-def]
    kind, address, size, units, inner, first, last, row, table, scratch
):
    """Merge units first:last of a tensor into a row; its samples are not counted.

    Args:
        kind: see `add_tensor`, and so are the others that are not here.
        address: see there.
        size: see there.
        units: see there.
        inner: see there.
        first: of the units that are merged.
        last: one more than the last of them.
        row: see there.
        table: see there.
        scratch: address of SCRATCH_BYTES, of this thread alone.
    """
    head = load_i64(table, HEADS) + row * HEAD * 8
    interval = load_i64(table, INTERVALS) + row * 16
    low, high = load_f64(interval, 0), load_f64(interval, 1)
    blocks, capacity = load_i64(head, BLOCK), load_i64(head, CAPACITY)
    width = 4 if kind == FLOAT32 else (8 if kind == FLOAT64 else 2)
    outer = size // (units * inner)
    if inner == 1 and units > 1:
        for unit in range(first, last, TILE):
            at, block = address + width * unit, blocks + 8 * unit
            columns = min(TILE, last - unit)
            _features(kind, at, outer, units, columns, low, high, block, capacity, scratch)
        return
    if units == 1:  # all elements are neighbours
        outer, inner = 1, size
    for i in range(outer):
        for unit in range(first, last):
            at, block = address + width * (i * units + unit) * inner, blocks + 8 * unit
            _channel(kind, at, inner, low, high, block, capacity, scratch)


@jit
def add_tensor(kind, address, size, units, inner, row, table):  # type: ignore[no-untyped-def]
    """Merge contiguous [outer, units, inner] into a row.

    Args:
        kind: of `kinds`.
        address: of the first element.
        size: elements, at least 1.
        units: as many as the row has been started with.
        inner: neighbours that belong to one unit; 1 of features.
        row: of the table; it has size / units samples more.
        table: `UnitTable.address`.
    """
    samples = load_i64(table, SAMPLES)
    add_i64(samples, row, size // units)
    scratch = load_i64(table, SCRATCH)
    add_range(kind, address, size, units, inner, 0, units, row, table, scratch)
