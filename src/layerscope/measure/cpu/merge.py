"""One row of a table merged into a row of another: parts come to the whole."""

from layerscope.measure.bins import ZERO
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import (
    add_f64,
    add_i64,
    load_f64,
    load_i64,
    store_f64,
    store_i64,
)
from layerscope.measure.cpu.row import addresses_of, finite_of, mean_and_deviations
from layerscope.measure.moments import merged
from layerscope.measure.row_layout import FIELDS, Sums, Tallies

_merged = jit(merged)


@jit
def _merge_counts(source, target, start, stop):  # type: ignore[no-untyped-def]
    for i in range(start, stop):
        add_i64(target, i, load_i64(source, i))


@jit
def merge_row(source_table, source_row, table, row):  # type: ignore[no-untyped-def]
    """Merge a row of one table into a row of another; tables by `Table.address`. The source stays.

    Afterwards the sums of the row are about its mean.
    """
    source, source_sums, source_tallies = addresses_of(source_table, source_row)
    target, sums, tallies = addresses_of(table, row)

    near, far = load_i64(source_tallies, Tallies.NEAR), load_i64(source_tallies, Tallies.FAR)
    _merge_counts(source, target, ZERO - far, ZERO - near + 1)
    _merge_counts(source, target, ZERO, ZERO + 1)
    _merge_counts(source, target, ZERO + near, ZERO + far + 1)

    finite, finite_too = finite_of(tallies), finite_of(source_tallies)
    mean, deviations = mean_and_deviations(sums, finite)
    mean_too, deviations_too = mean_and_deviations(source_sums, finite_too)
    mean, deviations = _merged(finite, mean, deviations, finite_too, mean_too, deviations_too)
    store_f64(sums, Sums.SHIFT, mean)
    store_f64(sums, Sums.SUM, 0.0)
    store_f64(sums, Sums.SQUARES, deviations)
    add_f64(sums, Sums.ABSOLUTE, load_f64(source_sums, Sums.ABSOLUTE))
    minimum, maximum = load_f64(source_sums, Sums.MINIMUM), load_f64(source_sums, Sums.MAXIMUM)
    store_f64(sums, Sums.MINIMUM, min(load_f64(sums, Sums.MINIMUM), minimum))
    store_f64(sums, Sums.MAXIMUM, max(load_f64(sums, Sums.MAXIMUM), maximum))

    for field in range(FIELDS):
        if field != Tallies.NEAR and field != Tallies.FAR:
            add_i64(tallies, field, load_i64(source_tallies, field))
    store_i64(tallies, Tallies.NEAR, min(load_i64(tallies, Tallies.NEAR), near))
    store_i64(tallies, Tallies.FAR, max(load_i64(tallies, Tallies.FAR), far))
