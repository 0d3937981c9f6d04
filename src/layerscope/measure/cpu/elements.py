"""Elements of any value counted one by one: NaN, infinities, subnormal numbers, and float64."""

from __future__ import annotations

import numpy as np

from layerscope.measure.bins import ZERO
from layerscope.measure.cpu.bins import magnitude_of
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import load_f32, load_f64, load_i64, store_f64, store_i64
from layerscope.measure.row_layout import (
    ABSOLUTE,
    FAR,
    LEFT_OUT,
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


@jit
def _increment(address, index):  # type: ignore[no-untyped-def]
    store_i64(address, index, load_i64(address, index) + 1)


@jit
def add_elements(  # type: ignore[no-untyped-def]
    is_f64, address, size, first, last, low, high, counts, sums, tallies
):
    """Count float64, or else float32, into the row at these addresses, its SHIFT being set.

    Args:
        is_f64: which of the two.
        address: of the first element.
        size: elements.
        first: of the elements that go into the bins too.
        last: one more than the last of them.
        low: an element below it is outside.
        high: and so is one above it.
        counts: of the row.
        sums: of the row.
        tallies: of the row.
    """
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
            _increment(tallies, ZEROS)  # from there they come to their bin
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


@jit
def first_finite(is_f64, address, size):  # type: ignore[no-untyped-def]
    """The first of some elements that is finite; 0 if none is."""
    for i in range(size):
        value = load_f64(address, i) if is_f64 else np.float64(load_f32(address, i))
        if abs(value) < np.inf:
            return value
    return 0.0
