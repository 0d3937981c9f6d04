"""The CPU kernel: one read of a tensor finds each unit's extremes, and whether it was active.

A tensor is [outer, units, inner]. Features (inner is 1) are taken in tiles of units, four samples
at a time, side by side in vector lanes; of channels each run of `inner` neighbours is reduced by
itself, as integers that are ordered like the floats, since LLVM puts no float minimum that minds
NaN into lanes. Either finds an infinity, or a NaN, by the extremes that come out, and only then
looks element by element. float64 always goes element by element.

Nothing is allocated. The caller hands over addresses: see `memory` and `unit_table`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from layerscope.measure.cpu.kernel import BFLOAT16, FLOAT32, FLOAT64, _widen_bf16, _widen_f16
from layerscope.measure.cpu.raw_memory import (
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
from layerscope.measure.unit_blocks import ACTIVE, MAXIMUM, MINIMUM

_I = np.int32
_EXPONENT_ALL_ONES = 0x7F800000


@njit(nogil=True, cache=True)
def _one_by_one(  # type: ignore[no-untyped-def]
    is_f64, address, rows, stride, columns, low, high, block, capacity
):
    """Merge a matrix of any values into as many units as it has columns."""
    for i in range(rows):
        for j in range(columns):
            at = i * stride + j
            value = load_f64(address, at) if is_f64 else np.float64(load_f32(address, at))
            finite = abs(value) < np.inf
            known = load_f64(block, MINIMUM * capacity + j)
            store_f64(block, MINIMUM * capacity + j, value if finite & (value < known) else known)
            known = load_f64(block, MAXIMUM * capacity + j)
            store_f64(block, MAXIMUM * capacity + j, value if finite & (value > known) else known)
            active = np.int64(finite & (value > low) & (value < high))
            active |= load_i64(block, ACTIVE * capacity + j)
            store_i64(block, ACTIVE * capacity + j, active)


@njit(nogil=True, cache=True)
def _run_one_by_one(is_f64, address, length, low, high, block, capacity):  # type: ignore[no-untyped-def]
    """Merge neighbours of any values into one unit."""
    least, most, active = (
        load_f64(block, MINIMUM * capacity),
        load_f64(block, MAXIMUM * capacity),
        0,
    )
    for i in range(length):
        value = load_f64(address, i) if is_f64 else np.float64(load_f32(address, i))
        finite = abs(value) < np.inf
        least = value if finite & (value < least) else least
        most = value if finite & (value > most) else most
        active |= np.int64(finite & (value > low) & (value < high))  # type: ignore[assignment]
    store_f64(block, MINIMUM * capacity, least)
    store_f64(block, MAXIMUM * capacity, most)
    store_i64(block, ACTIVE * capacity, load_i64(block, ACTIVE * capacity) | active)


@njit(nogil=True, cache=True)
def _extremes(address, rows, stride, columns, low, high, scratch):  # type: ignore[no-untyped-def]
    """Extremes and activity of each column of float32 into the scratch; NaN is passed over."""
    for j in range(columns):
        store_f32(scratch, j, np.float32(np.inf))
        store_f32(scratch, j + TILE, np.float32(-np.inf))
        store_i32(scratch, j + 2 * TILE, _I(0))
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
            active = _I(((a > low) & (a < high)) | ((b > low) & (b < high)))
            active |= _I(((c > low) & (c < high)) | ((d > low) & (d < high)))
            store_f32(scratch, j, least)
            store_f32(scratch, j + TILE, most)
            store_i32(scratch, j + 2 * TILE, _I(load_i32(scratch, j + 2 * TILE) | active))


@njit(nogil=True, cache=True)
def _infinite(scratch, columns):  # type: ignore[no-untyped-def]
    found = _I(0)
    for j in range(columns):
        least, most = load_f32(scratch, j), load_f32(scratch, j + TILE)
        found |= _I((least == np.float32(-np.inf)) | (most == np.float32(np.inf)))
    return found != 0


@njit(nogil=True, cache=True)
def _columns(  # type: ignore[no-untyped-def]
    address, rows, stride, columns, low, high, block, capacity, scratch
):
    """Merge a matrix of float32, `stride` elements from row to row, into units."""
    _extremes(address, rows, stride, columns, low, high, scratch)
    if _infinite(scratch, columns):
        wide_low, wide_high = np.float64(low), np.float64(high)
        _one_by_one(False, address, rows, stride, columns, wide_low, wide_high, block, capacity)
        return
    for j in range(columns):
        value, known = np.float64(load_f32(scratch, j)), load_f64(block, MINIMUM * capacity + j)
        store_f64(block, MINIMUM * capacity + j, value if value < known else known)
    for j in range(columns):
        value = np.float64(load_f32(scratch, j + TILE))
        known = load_f64(block, MAXIMUM * capacity + j)
        store_f64(block, MAXIMUM * capacity + j, value if value > known else known)
    for j in range(columns):
        active = np.int64(load_i32(scratch, j + 2 * TILE))
        active |= load_i64(block, ACTIVE * capacity + j)
        store_i64(block, ACTIVE * capacity + j, active)


@njit(nogil=True, cache=True)
def _run(address, length, low, high, block, capacity):  # type: ignore[no-untyped-def]
    """Merge neighbouring float32 into one unit."""
    lowest, highest = _I(0x7FFFFFFF), _I(-0x80000000)
    active = _I(0)
    for i in range(length):
        bits, value = load_i32(address, i), load_f32(address, i)
        ordered = _I(bits ^ _I(_I(bits >> _I(31)) & _I(0x7FFFFFFF)))
        lowest, highest = min(lowest, ordered), max(highest, ordered)
        active |= _I((value > low) & (value < high))
    if highest >= _EXPONENT_ALL_ONES or lowest < -_EXPONENT_ALL_ONES:
        wide_low, wide_high = np.float64(low), np.float64(high)
        _run_one_by_one(False, address, length, wide_low, wide_high, block, capacity)
        return
    least, most = MINIMUM * capacity, MAXIMUM * capacity
    store_f64(block, least, min(load_f64(block, least), _from_ordered(lowest)))
    store_f64(block, most, max(load_f64(block, most), _from_ordered(highest)))
    if active != 0:
        store_i64(block, ACTIVE * capacity, 1)


@njit(nogil=True, cache=True)
def _from_ordered(ordered):  # type: ignore[no-untyped-def]
    """The float32 whose bits were made an integer ordered like the floats, -0 below 0."""
    bits = _I(ordered ^ _I(_I(ordered >> _I(31)) & _I(0x7FFFFFFF)))
    return np.float64(f32_from_bits(bits))


@njit(nogil=True, cache=True)
def _widen(kind, address, size, target):  # type: ignore[no-untyped-def]
    if kind == BFLOAT16:
        _widen_bf16(address, size, target)
    else:
        _widen_f16(address, size, target)


@njit(nogil=True, cache=True)
def _features(  # type: ignore[no-untyped-def]
    kind, address, samples, stride, columns, low, high, block, capacity, scratch
):
    """Merge a tile of [samples, units] into its units."""
    near, far = np.float32(low), np.float32(high)  # 32 bits and fewer are compared as float32
    if kind == FLOAT64:
        _one_by_one(True, address, samples, stride, columns, low, high, block, capacity)
    elif kind == FLOAT32:
        _columns(address, samples, stride, columns, near, far, block, capacity, scratch)
    else:
        wide, at_once, width = scratch + 4 * 3 * TILE, WIDE_ROWS, TILE
        if columns == stride:  # whole samples are neighbours: as many as there is room for
            at_once, width = TILE * WIDE_ROWS // columns, columns
        for sample in range(0, samples, at_once):
            rows, at = min(at_once, samples - sample), address + 2 * sample * stride
            if columns == stride:
                _widen(kind, at, rows * columns, wide)
            else:
                for i in range(rows):
                    _widen(kind, at + 2 * i * stride, columns, wide + 4 * TILE * i)
            _columns(wide, rows, width, columns, near, far, block, capacity, scratch)


@njit(nogil=True, cache=True)
def _channel(  # type: ignore[no-untyped-def]
    kind, address, length, low, high, block, capacity, scratch
):
    """Merge neighbours into the one unit that they belong to."""
    near, far = np.float32(low), np.float32(high)
    if kind == FLOAT64:
        _run_one_by_one(True, address, length, low, high, block, capacity)
    elif kind == FLOAT32:
        _run(address, length, near, far, block, capacity)
    else:
        wide, most = scratch + 4 * 3 * TILE, TILE * WIDE_ROWS
        for start in range(0, length, most):
            size = min(most, length - start)
            _widen(kind, address + 2 * start, size, wide)
            _run(wide, size, near, far, block, capacity)


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def add_tensor(kind, address, size, units, inner, row, table):  # type: ignore[no-untyped-def]
    """Merge contiguous [outer, units, inner] into a row.

    Args:
        kind: FLOAT32, BFLOAT16, FLOAT16 or FLOAT64 of `kernel`.
        address: of the first element.
        size: elements, at least 1.
        units: as many as the row has been started with.
        inner: neighbours that belong to one unit; 1 of features.
        row: of the table; it has size / units samples more.
        table: `UnitTable.address`.
    """
    samples = load_i64(table, SAMPLES)
    store_i64(samples, row, load_i64(samples, row) + size // units)
    scratch = load_i64(table, SCRATCH)
    add_range(kind, address, size, units, inner, 0, units, row, table, scratch)
