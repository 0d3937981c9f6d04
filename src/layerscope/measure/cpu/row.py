"""What a row of a table has come to: its moments; and how it is emptied."""

import numpy as np

from layerscope.measure.bins import BINS, ZERO
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import load_f64, load_i64, store_f64, store_i64
from layerscope.measure.cpu.table import ROW
from layerscope.measure.moments import MomentColumn
from layerscope.measure.row_layout import FIELDS, Sums, Tallies

_FLOAT32_MAX = float(np.finfo(np.float32).max)


@jit
def addresses_of(table, row):  # type: ignore[no-untyped-def]
    """Where the counts, sums and tallies of a row of a table, `Table.address`, are."""
    return (
        load_i64(table, 0) + row * ROW * 8,
        load_i64(table, 1) + row * FIELDS * 8,
        load_i64(table, 2) + row * FIELDS * 8,
    )


@jit
def finite_of(tallies):  # type: ignore[no-untyped-def]
    """How many finite elements the row with these tallies, an address, has."""
    infinities = load_i64(tallies, Tallies.POSITIVE_INF) + load_i64(tallies, Tallies.NEGATIVE_INF)
    return load_i64(tallies, Tallies.COUNT) - load_i64(tallies, Tallies.NAN) - infinities


@jit
def mean_and_deviations(sums, finite):  # type: ignore[no-untyped-def]
    """Of the finite elements, the mean and the sum of (x - mean)**2; both 0 without any."""
    if finite == 0:
        return 0.0, 0.0
    offset = load_f64(sums, Sums.SUM) / finite
    deviations = load_f64(sums, Sums.SQUARES) - offset * load_f64(sums, Sums.SUM)
    return load_f64(sums, Sums.SHIFT) + offset, max(deviations, 0.0)


@jit
def read_moments(sums, tallies, out):  # type: ignore[no-untyped-def]
    """Fill out, float64 [MOMENTS], from a row's addresses; its finite elements."""
    finite = finite_of(tallies)
    out[MomentColumn.COUNT] = load_i64(tallies, Tallies.COUNT)
    out[MomentColumn.ZEROS] = load_i64(tallies, Tallies.ZEROS)
    out[MomentColumn.NAN] = load_i64(tallies, Tallies.NAN)
    out[MomentColumn.POSITIVE_INF] = load_i64(tallies, Tallies.POSITIVE_INF)
    out[MomentColumn.NEGATIVE_INF] = load_i64(tallies, Tallies.NEGATIVE_INF)
    out[MomentColumn.OUTSIDE] = load_i64(tallies, Tallies.OUTSIDE)
    mean, deviations = mean_and_deviations(sums, finite)
    out[MomentColumn.MEAN], out[MomentColumn.SQUARED_DEVIATIONS] = mean, deviations
    out[MomentColumn.ABSOLUTE_SUM] = load_f64(sums, Sums.ABSOLUTE)
    out[MomentColumn.MINIMUM] = load_f64(sums, Sums.MINIMUM) if finite > 0 else np.nan
    out[MomentColumn.MAXIMUM] = load_f64(sums, Sums.MAXIMUM) if finite > 0 else np.nan
    return finite


@jit
def shown_range(axis, minimum, maximum):  # type: ignore[no-untyped-def]
    """What the linear buckets show, at least the axis; around a constant, on its own scale."""
    left = min(axis[0], minimum) if axis[0] == axis[0] else minimum
    right = max(axis[1], maximum) if axis[1] == axis[1] else maximum
    if left == right:
        spread = abs(left) / 2 if left != 0.0 else 0.5
        left, right = left - spread, right + spread
    return max(left, -_FLOAT32_MAX), min(right, _FLOAT32_MAX)


@jit
def empty_figures(sums, tallies):  # type: ignore[no-untyped-def]
    """Leave what a row has beside its bins as it was made; its interval stays."""
    for field in range(FIELDS):
        store_i64(tallies, field, 0)
    store_i64(tallies, Tallies.NEAR, BINS)
    for field in (Sums.SHIFT, Sums.SUM, Sums.SQUARES, Sums.ABSOLUTE):
        store_f64(sums, field, 0.0)
    store_f64(sums, Sums.MINIMUM, np.inf)
    store_f64(sums, Sums.MAXIMUM, -np.inf)


@jit
def empty_row(table, row):  # type: ignore[no-untyped-def]
    """Leave a row of a table, `Table.address`, as it was made; its interval stays."""
    counts, sums, tallies = addresses_of(table, row)
    near, far = load_i64(tallies, Tallies.NEAR), load_i64(tallies, Tallies.FAR)
    for i in range(ZERO - far, ZERO - near + 1):
        store_i64(counts, i, 0)
    store_i64(counts, ZERO, 0)
    for i in range(ZERO + near, ZERO + far + 1):
        store_i64(counts, i, 0)
    empty_figures(sums, tallies)
