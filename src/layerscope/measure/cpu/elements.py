"""Elements of any value counted one by one: NaN, infinities, subnormal numbers, and float64."""

import numpy as np

from layerscope.measure.bins import ZERO
from layerscope.measure.cpu.bins import magnitude_of
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import (
    add_f64,
    add_i64,
    load_f32,
    load_f64,
    load_i64,
    store_f64,
    store_i64,
)
from layerscope.measure.row_layout import Sums, Tallies


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
    """
    for i in range(size):
        value = load_f64(address, i) if is_f64 else np.float64(load_f32(address, i))
        if value < low or value > high:
            add_i64(tallies, Tallies.OUTSIDE, 1)
        if value != value:
            add_i64(tallies, Tallies.NAN, 1)
            continue
        if abs(value) == np.inf:
            add_i64(tallies, Tallies.POSITIVE_INF if value > 0 else Tallies.NEGATIVE_INF, 1)
            continue
        if value == 0.0:
            add_i64(tallies, Tallies.ZEROS, 1)  # from there they come to their bin
        else:
            magnitude = magnitude_of(value)
            store_i64(tallies, Tallies.NEAR, min(load_i64(tallies, Tallies.NEAR), magnitude))
            store_i64(tallies, Tallies.FAR, max(load_i64(tallies, Tallies.FAR), magnitude))
            if first <= i < last:
                add_i64(counts, ZERO + magnitude if value > 0 else ZERO - magnitude, 1)
            else:
                add_i64(tallies, Tallies.LEFT_OUT, 1)
        shifted = value - load_f64(sums, Sums.SHIFT)
        add_f64(sums, Sums.SUM, shifted)
        add_f64(sums, Sums.SQUARES, shifted * shifted)
        add_f64(sums, Sums.ABSOLUTE, abs(value))
        store_f64(sums, Sums.MINIMUM, min(load_f64(sums, Sums.MINIMUM), value))
        store_f64(sums, Sums.MAXIMUM, max(load_f64(sums, Sums.MAXIMUM), value))


@jit
def first_finite(is_f64, address, size):  # type: ignore[no-untyped-def]
    """The first of some elements that is finite; 0 if none is."""
    for i in range(size):
        value = load_f64(address, i) if is_f64 else np.float64(load_f32(address, i))
        if abs(value) < np.inf:
            return value
    return 0.0
