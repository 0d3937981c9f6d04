"""Rows of a table become what is shown of them: moments and buckets."""

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import load_i64
from layerscope.measure.cpu.reading_memory import arrays_of
from layerscope.measure.cpu.rebin import fill_linear, fill_logarithmic
from layerscope.measure.cpu.row import addresses_of, empty_row, read_moments, shown_range
from layerscope.measure.cpu.whole_rows import FILLED, IN_TABLE, LOST
from layerscope.measure.moments import MomentColumn
from layerscope.measure.row_layout import Tallies


@jit
def read_rows(table, first, rows, options, moments, linear, logarithmic, reset):  # type: ignore[no-untyped-def]
    """Read the first rows of a table into moments and buckets, and empty them.

    Args:
        table: `Table.address`.
        first: how many rows, from the first.
        options: see `arrays_of`, and so are the next three. A row that is FILLED is passed over; of
            one that is LOST nothing is left.
        reset: whether to leave the rows empty.
    """
    axes, logs, states, moments, linear, logarithmic = arrays_of(
        rows, options, moments, linear, logarithmic
    )
    for row in range(first):
        if states[row] == FILLED:
            if reset:
                states[row] = IN_TABLE
            continue
        counts, sums, tallies = addresses_of(table, row)
        if states[row] == LOST:
            empty_row(table, row)
        finite = read_moments(sums, tallies, moments[row])
        if finite > 0:
            near, far = load_i64(tallies, Tallies.NEAR), load_i64(tallies, Tallies.FAR)
            minimum, maximum = (
                moments[row, MomentColumn.MINIMUM],
                moments[row, MomentColumn.MAXIMUM],
            )
            left, right = shown_range(axes[row], minimum, maximum)
            zeros, left_out = (
                load_i64(tallies, Tallies.ZEROS),
                load_i64(tallies, Tallies.LEFT_OUT),
            )
            counted = finite - zeros - left_out
            weight = (finite - zeros) / counted if counted > 0 else 1.0
            fill_linear(
                counts, near, far, minimum, maximum, left, right, zeros, finite, weight, linear[row]
            )
            if logs[row]:
                fill_logarithmic(counts, near, far, zeros, finite, weight, logarithmic[row])
        else:
            linear[row] = 0
            logarithmic[row] = 0
        if reset:
            empty_row(table, row)
            states[row] = IN_TABLE
