"""Rows of a table become what is shown of them: moments and buckets."""

from __future__ import annotations

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import load_i64
from layerscope.measure.cpu.rebin import fill_linear, fill_logarithmic
from layerscope.measure.cpu.row import empty_row, read_moments, shown_range
from layerscope.measure.cpu.table import ROW
from layerscope.measure.cpu.whole_rows import FILLED, IN_TABLE, LOST
from layerscope.measure.moments import MomentColumn
from layerscope.measure.row_layout import FAR, FIELDS, LEFT_OUT, NEAR, ZEROS


@jit
def read_rows(table, rows, axes, logs, states, moments, linear, logarithmic, reset):  # type: ignore[no-untyped-def]
    """Read the first rows of a table into moments and buckets, and empty them.

    Args:
        table: `Table.address`.
        rows: how many.
        axes: float64 [all rows, 2], the least range to show; NaN shows the measured one.
        logs: bool [all rows], whether to fill `logarithmic`.
        states: uint8 [all rows], of `together`: a row that is FILLED is passed over; of one that is
            LOST nothing is left.
        moments: float64 [all rows, MOMENTS], filled.
        linear: float32 [all rows, buckets, 3], filled with left, right, count.
        logarithmic: float32 [all rows, buckets, 3], filled with the same of log10 |x|, zeros first.
        reset: whether to leave the rows empty.
    """
    for row in range(rows):
        if states[row] == FILLED:
            if reset:
                states[row] = IN_TABLE
            continue
        counts = load_i64(table, 0) + row * ROW * 8
        sums = load_i64(table, 1) + row * FIELDS * 8
        tallies = load_i64(table, 2) + row * FIELDS * 8
        if states[row] == LOST:
            empty_row(table, row)
        finite = read_moments(sums, tallies, moments[row])
        if finite > 0:
            near, far = load_i64(tallies, NEAR), load_i64(tallies, FAR)
            minimum, maximum = (
                moments[row, MomentColumn.MINIMUM],
                moments[row, MomentColumn.MAXIMUM],
            )
            left, right = shown_range(axes[row], minimum, maximum)
            zeros, left_out = load_i64(tallies, ZEROS), load_i64(tallies, LEFT_OUT)
            counted = finite - zeros - left_out
            weight = (finite - zeros) / counted if counted > 0 else 1.0
            fill_linear(
                counts,
                near,
                far,
                minimum,
                maximum,
                left,
                right,
                zeros,
                finite,
                weight,
                linear[row],
            )
            if logs[row]:
                fill_logarithmic(counts, near, far, zeros, finite, weight, logarithmic[row])
        else:
            linear[row] = 0
            logarithmic[row] = 0
        if reset:
            empty_row(table, row)
            states[row] = IN_TABLE
