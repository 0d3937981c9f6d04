"""The units of a matrix, [samples, units]: its columns, in tiles of units.

Four samples at a time go side by side in vector lanes. An infinity, or a NaN, shows in the extremes
that come out, and only then elements are looked at one by one. float64 always goes so.
"""

import numpy as np

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.kinds import FLOAT32, FLOAT64
from layerscope.measure.cpu.raw_memory import (
    load_f32,
    load_f64,
    load_i32,
    load_i64,
    store_f32,
    store_f64,
    store_i32,
    store_i64,
)
from layerscope.measure.cpu.unit_elements import merge_columns
from layerscope.measure.cpu.unit_table import TILE, WIDE_ROWS
from layerscope.measure.cpu.widen import widen
from layerscope.measure.unit_blocks import ACTIVE, MAXIMUM, MINIMUM

_I = np.int32


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
def merge_features(  # type: ignore[no-untyped-def]
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
