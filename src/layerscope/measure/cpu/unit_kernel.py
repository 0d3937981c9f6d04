"""The CPU kernel: one read of a tensor finds each unit's extremes, and whether it was active.

A tensor is [outer, units, inner]: features, where inner is 1, or channels. Nothing is allocated.
The caller hands over addresses: see `raw_memory` and `unit_table`.
"""

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.kinds import FLOAT32, FLOAT64
from layerscope.measure.cpu.raw_memory import add_i64, load_f64, load_i64
from layerscope.measure.cpu.unit_channels import merge_channel
from layerscope.measure.cpu.unit_features import merge_features
from layerscope.measure.cpu.unit_table import (
    BLOCK,
    CAPACITY,
    HEAD,
    HEADS,
    INTERVALS,
    SAMPLES,
    SCRATCH,
    TILE,
)


@jit
def add_range(  # type: ignore[no-untyped-def]
    kind, address, size, units, inner, first, last, row, table, scratch
):
    """Merge units first:last of a tensor into a row; its samples are not counted.

    The other arguments are those of `add_tensor`.

    Args:
        first: of the units that are merged.
        last: one more than the last of them.
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
            merge_features(kind, at, outer, units, columns, low, high, block, capacity, scratch)
        return
    if units == 1:  # all elements are neighbours
        outer, inner = 1, size
    for i in range(outer):
        for unit in range(first, last):
            at, block = address + width * (i * units + unit) * inner, blocks + 8 * unit
            merge_channel(kind, at, inner, low, high, block, capacity, scratch)


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
