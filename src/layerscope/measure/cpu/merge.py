"""One row of a table added to a row of another: parts merge into the whole."""

from __future__ import annotations

from numba import njit

from layerscope.measure.bins import ZERO
from layerscope.measure.cpu.raw_memory import load_f64, load_i64, store_f64, store_i64
from layerscope.measure.table import (
    ABSOLUTE,
    COUNT,
    FAR,
    FIELDS,
    MAXIMUM,
    MINIMUM,
    NAN,
    NEAR,
    NEGATIVE_INF,
    POSITIVE_INF,
    ROW,
    SHIFT,
    SQUARES,
    SUM,
)


@njit(nogil=True, cache=True)
def _add_counts(source, target, start, stop):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        store_i64(target, i, load_i64(target, i) + load_i64(source, i))


@njit(nogil=True, cache=True)
def add_row(source_table, source_row, table, row):  # type: ignore[no-untyped-def]
    """Add a row of one table to a row of another; tables by `Table.address`. The source stays."""
    source = load_i64(source_table, 0) + source_row * ROW * 8
    source_sums = load_i64(source_table, 1) + source_row * FIELDS * 8
    source_tallies = load_i64(source_table, 2) + source_row * FIELDS * 8
    target = load_i64(table, 0) + row * ROW * 8
    sums = load_i64(table, 1) + row * FIELDS * 8
    tallies = load_i64(table, 2) + row * FIELDS * 8

    near, far = load_i64(source_tallies, NEAR), load_i64(source_tallies, FAR)
    _add_counts(source, target, ZERO - far, ZERO - near + 1)
    _add_counts(source, target, ZERO, ZERO + 1)
    _add_counts(source, target, ZERO + near, ZERO + far + 1)

    # Sums about the source's shift become sums about the target's.
    if load_i64(tallies, COUNT) == 0:
        store_f64(sums, SHIFT, load_f64(source_sums, SHIFT))
    finite = load_i64(source_tallies, COUNT) - load_i64(source_tallies, NAN)
    finite -= load_i64(source_tallies, POSITIVE_INF) + load_i64(source_tallies, NEGATIVE_INF)
    moved = load_f64(source_sums, SHIFT) - load_f64(sums, SHIFT)
    total, squares = load_f64(source_sums, SUM), load_f64(source_sums, SQUARES)
    store_f64(sums, SUM, load_f64(sums, SUM) + total + finite * moved)
    squares += 2.0 * moved * total + finite * moved * moved
    store_f64(sums, SQUARES, load_f64(sums, SQUARES) + squares)
    store_f64(sums, ABSOLUTE, load_f64(sums, ABSOLUTE) + load_f64(source_sums, ABSOLUTE))
    store_f64(sums, MINIMUM, min(load_f64(sums, MINIMUM), load_f64(source_sums, MINIMUM)))
    store_f64(sums, MAXIMUM, max(load_f64(sums, MAXIMUM), load_f64(source_sums, MAXIMUM)))

    for field in range(FIELDS):
        if field != NEAR and field != FAR:
            store_i64(tallies, field, load_i64(tallies, field) + load_i64(source_tallies, field))
    store_i64(tallies, NEAR, min(load_i64(tallies, NEAR), near))
    store_i64(tallies, FAR, max(load_i64(tallies, FAR), far))
