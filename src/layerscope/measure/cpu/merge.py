"""One row of a table merged into a row of another: parts come to the whole."""

import numpy as np
import numpy.typing as npt

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
from layerscope.measure.cpu.table import Table
from layerscope.measure.moments import MOMENTS, MomentColumn, merged
from layerscope.measure.row_layout import FIELDS, Sums, Tallies
from layerscope.measure.row_state import STATE

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


def state_of(table: Table, moments: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """float64 [rows, STATE] of the first rows, whose moments are given, [rows, MOMENTS]."""
    out = np.empty((len(moments), STATE))
    out[:, :MOMENTS] = moments
    out[:, MOMENTS:] = table.tallies[: len(moments), [Tallies.NEAR, Tallies.FAR, Tallies.LEFT_OUT]]
    return out


def load_state(table: Table, state: npt.NDArray[np.float64]) -> None:
    """Set as many of the first rows as the state has; the bins stay."""
    sums, tallies = table.sums[: len(state)], table.tallies[: len(state)]
    tallies[:, Tallies.COUNT : Tallies.OUTSIDE + 1] = state[:, : MomentColumn.MEAN]
    tallies[:, [Tallies.NEAR, Tallies.FAR, Tallies.LEFT_OUT]] = state[:, MOMENTS:]
    sums[:, Sums.SHIFT] = state[:, MomentColumn.MEAN]
    sums[:, Sums.SUM] = 0.0  # about the mean
    sums[:, Sums.SQUARES] = state[:, MomentColumn.SQUARED_DEVIATIONS]
    sums[:, Sums.ABSOLUTE] = state[:, MomentColumn.ABSOLUTE_SUM]
    sums[:, Sums.MINIMUM] = np.nan_to_num(state[:, MomentColumn.MINIMUM], nan=np.inf)
    sums[:, Sums.MAXIMUM] = np.nan_to_num(state[:, MomentColumn.MAXIMUM], nan=-np.inf)
