"""A large tensor's counts in four interleaved rows, which are then merged into the row of a table.

Equal neighbours, such as saturated outputs, so don't wait for each other's store.
"""

from __future__ import annotations

import numpy as np

from layerscope.measure.bins import ZERO
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import (
    increment_u32,
    load_i32,
    load_i64,
    store_i32,
    store_i64,
)
from layerscope.measure.cpu.table import LANE_BYTES, LANES
from layerscope.measure.row_layout import FAR, NEAR


@jit
def count_in_lanes(bins, size, lanes):  # type: ignore[no-untyped-def]
    """Count int32 bin numbers; of the addresses, `lanes` is that of LANES * LANE_BYTES."""
    whole = size & ~3
    for i in range(0, whole, 4):
        increment_u32(lanes, load_i32(bins, i))
        increment_u32(lanes + LANE_BYTES, load_i32(bins, i + 1))
        increment_u32(lanes + 2 * LANE_BYTES, load_i32(bins, i + 2))
        increment_u32(lanes + 3 * LANE_BYTES, load_i32(bins, i + 3))
    for i in range(whole, size):
        increment_u32(lanes, load_i32(bins, i))


@jit
def _merge_range(lanes, counts, start, stop):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        added = np.int64(np.uint32(load_i32(lanes, i)))
        added += np.int64(np.uint32(load_i32(lanes + LANE_BYTES, i)))
        added += np.int64(np.uint32(load_i32(lanes + 2 * LANE_BYTES, i)))
        added += np.int64(np.uint32(load_i32(lanes + 3 * LANE_BYTES, i)))
        store_i64(counts, i, load_i64(counts, i) + added)
    for lane in range(LANES):
        for i in range(start, stop):
            store_i32(lanes + lane * LANE_BYTES, i, np.int32(0))


@jit
def merge_lanes(lanes, counts, tallies):  # type: ignore[no-untyped-def]
    """Move the lanes' counts into the row: only the bins between its extremes can hold any."""
    near, far = load_i64(tallies, NEAR), load_i64(tallies, FAR)
    _merge_range(lanes, counts, ZERO - far, ZERO - near + 1)
    _merge_range(lanes, counts, ZERO + near, ZERO + far + 1)
