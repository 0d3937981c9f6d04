"""One row of a table merged into a row of another: parts come to the whole."""

from __future__ import annotations

from layerscope.measure.bins import ZERO
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import load_f64, load_i64, store_f64, store_i64
from layerscope.measure.cpu.row import finite_of, mean_and_deviations
from layerscope.measure.cpu.table import ROW
from layerscope.measure.moments import merged
from layerscope.measure.row_layout import (
    ABSOLUTE,
    FAR,
    FIELDS,
    MAXIMUM,
    MINIMUM,
    NEAR,
    SHIFT,
    SQUARES,
    SUM,
)

_merged = jit(merged)


@jit
def _merge_counts(source, target, start, stop):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        store_i64(target, i, load_i64(target, i) + load_i64(source, i))


@jit
def merge_row(source_table, source_row, table, row):  # type: ignore[no-untyped-def]
    """Merge a row of one table into a row of another; tables by `Table.address`. The source stays.

    Afterwards the sums of the row are about its mean.
    """
    source = load_i64(source_table, 0) + source_row * ROW * 8
    source_sums = load_i64(source_table, 1) + source_row * FIELDS * 8
    source_tallies = load_i64(source_table, 2) + source_row * FIELDS * 8
    target = load_i64(table, 0) + row * ROW * 8
    sums = load_i64(table, 1) + row * FIELDS * 8
    tallies = load_i64(table, 2) + row * FIELDS * 8

    near, far = load_i64(source_tallies, NEAR), load_i64(source_tallies, FAR)
    _merge_counts(source, target, ZERO - far, ZERO - near + 1)
    _merge_counts(source, target, ZERO, ZERO + 1)
    _merge_counts(source, target, ZERO + near, ZERO + far + 1)

    finite, finite_too = finite_of(tallies), finite_of(source_tallies)
    mean, deviations = mean_and_deviations(sums, finite)
    mean_too, deviations_too = mean_and_deviations(source_sums, finite_too)
    mean, deviations = _merged(finite, mean, deviations, finite_too, mean_too, deviations_too)
    store_f64(sums, SHIFT, mean)
    store_f64(sums, SUM, 0.0)
    store_f64(sums, SQUARES, deviations)
    store_f64(sums, ABSOLUTE, load_f64(sums, ABSOLUTE) + load_f64(source_sums, ABSOLUTE))
    store_f64(sums, MINIMUM, min(load_f64(sums, MINIMUM), load_f64(source_sums, MINIMUM)))
    store_f64(sums, MAXIMUM, max(load_f64(sums, MAXIMUM), load_f64(source_sums, MAXIMUM)))

    for field in range(FIELDS):
        if field != NEAR and field != FAR:
            store_i64(tallies, field, load_i64(tallies, field) + load_i64(source_tallies, field))
    store_i64(tallies, NEAR, min(load_i64(tallies, NEAR), near))
    store_i64(tallies, FAR, max(load_i64(tallies, FAR), far))
