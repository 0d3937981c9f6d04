"""Elements of any value merged into units one by one: NaN, infinities, and float64."""

import numpy as np

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import load_f32, load_f64, load_i64, store_f64, store_i64
from layerscope.measure.unit_blocks import ACTIVE, MAXIMUM, MINIMUM


@jit
def merge_columns(  # type: ignore[no-untyped-def]
    is_f64, address, rows, stride, columns, low, high, block, capacity
):
    """Merge a matrix into as many units as it has columns.

    Args:
        is_f64: of float64, or else float32.
        address: of its first element.
        stride: elements from row to row.
        low: an active value lies above.
        high: and below.
        block: address of the first unit in its block.
    """
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


@jit
def merge_run(is_f64, address, length, low, high, block, capacity):  # type: ignore[no-untyped-def]
    """Merge `length` neighbours into one unit; the arguments are those of `merge_columns`."""
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
