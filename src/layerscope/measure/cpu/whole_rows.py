"""Many tensors measured by one call, whole rows at a time, without the table of bins.

With all tensors of a row at hand, a first pass finds the row's extremes and moments, and a second
one counts the 30 buckets between them: exactly, but that an element within 1e-5 of a bucket's width
of an edge (1e-4 of an octave, on the logarithmic axis) may be counted on its other side. Nothing is
filled, read and cleared but what is shown. A row that holds something already, or whose elements
are not all zero or normal float32 numbers, goes into the table's bins as by `kernel.add_to_row`.
"""

import numpy as np

from layerscope.measure.bins import LOWEST_EXPONENT
from layerscope.measure.cpu.block_figures import add_figures, add_figures_f64, narrow
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.elements import first_finite
from layerscope.measure.cpu.kernel import add_to_row
from layerscope.measure.cpu.kinds import FLOAT32, FLOAT64
from layerscope.measure.cpu.places import (
    BOTH,
    LINEAR,
    PLACES,
    count_places,
    linear_places,
    linear_places_f64,
    take_both,
    take_linear,
    with_logarithmic_places,
)
from layerscope.measure.cpu.raw_memory import add_i64, load_i32, load_i64, store_f64
from layerscope.measure.cpu.reading_memory import arrays_of
from layerscope.measure.cpu.rebin import linear_edge, log10_of, logarithmic_range
from layerscope.measure.cpu.row import addresses_of, empty_figures, read_moments, shown_range
from layerscope.measure.cpu.table import BLOCK, LANES_BYTES
from layerscope.measure.cpu.unit_kernel import add_tensor
from layerscope.measure.cpu.widen import widen
from layerscope.measure.moments import MomentColumn
from layerscope.measure.reading import BUCKETS
from layerscope.measure.row_layout import Sums, Tallies

# A job, int64: a contiguous tensor of at least one element, the row it goes into, and, where its
# units are watched, their row (else -1), how many there are, and neighbours that belong to one.
KIND, ADDRESS, SIZE, ROW, UNIT_ROW, UNITS, INNER = range(7)
JOB = 7

# What a row of the reading is, uint8: still in the table; filled; or lost, because something came
# to it after it was filled.
IN_TABLE, FILLED, LOST = range(3)

_LEAST, _MOST = 1e-30, 1e30  # widths of what is shown that float32 can divide by


@jit
def _block(kind, address, start, length, wide):  # type: ignore[no-untyped-def]
    """Where a block of float32 lies, or of float64: of 16 bits, where it has been widened."""
    if kind == FLOAT32:
        return address + 4 * start
    if kind == FLOAT64:
        return address + 8 * start
    widen(kind, address + 2 * start, length, wide)
    return wide


@jit
def _first_pass(job, sums, tallies, wide):  # type: ignore[no-untyped-def]
    """Add a tensor's figures to its row; False if it has to go into the bins."""
    kind, address, size = load_i64(job, KIND), load_i64(job, ADDRESS), load_i64(job, SIZE)
    is_fresh = load_i64(tallies, Tallies.COUNT) == 0
    add_i64(tallies, Tallies.COUNT, size)
    for start in range(0, size, BLOCK):
        length = min(size - start, BLOCK)
        block = _block(kind, address, start, length, wide)
        if is_fresh:
            store_f64(sums, Sums.SHIFT, first_finite(kind == FLOAT64, block, length))
            is_fresh = False
        if kind == FLOAT64:
            is_clean = add_figures_f64(block, length, wide, sums, tallies)
        else:
            is_clean = add_figures(block, length, sums, tallies)
        if not is_clean:
            return False
    return True


@jit
def _linear_places(kind, block, length, left, scale, places):  # type: ignore[no-untyped-def]
    if kind == FLOAT64:
        linear_places_f64(block, length, left, scale, places)
    else:
        linear_places(block, length, left, scale, places)


@jit
def _count(jobs, count, left, right, start, width, both, scratch):  # type: ignore[no-untyped-def]
    """Count linear places; of both axes, together with logarithmic ones of `width` octaves from
    `start` on.
    """
    lanes, places, wide, taken = scratch
    scale, octave = BUCKETS / (right - left), np.int64(np.floor(start))
    exponent, part = octave + LOWEST_EXPONENT, start - octave
    lane = BOTH if both else LINEAR
    for i in range(count):
        job = jobs + 8 * JOB * i
        kind, address, size = load_i64(job, KIND), load_i64(job, ADDRESS), load_i64(job, SIZE)
        for first in range(0, size, BLOCK):
            length = min(size - first, BLOCK)
            block = _block(kind, address, first, length, wide)
            _linear_places(kind, block, length, left, scale, places)
            if both:
                if kind == FLOAT64:
                    narrow(block, length, wide)
                    block = wide
                with_logarithmic_places(block, length, exponent, part, 1 / width, places)
            count_places(places, length, lanes, lane)
    if both:
        take_both(lanes, taken, taken + 4 * PLACES)
    else:
        take_linear(lanes, taken)


@jit
def _fill_linear(left, right, taken, out):  # type: ignore[no-untyped-def]
    for k in range(BUCKETS):
        out[k, 0], out[k, 1] = linear_edge(left, right, k), linear_edge(left, right, k + 1)
        out[k, 2] = load_i32(taken, k)


@jit
def _fill_logarithmic(start, width, taken, out):  # type: ignore[no-untyped-def]
    for k in range(BUCKETS):
        out[k, 0], out[k, 1] = log10_of(start + (k - 1) * width), log10_of(start + k * width)
        out[k, 2] = load_i32(taken, k)


@jit
def _measure_row(  # type: ignore[no-untyped-def]
    jobs, count, sums, tallies, most, axis, with_logarithm, scratch, moments, linear, logarithmic
):
    """Fill what is shown of a row; False, and the row is empty again, if it cannot be so."""
    is_whole = True
    for i in range(count):
        job = jobs + 8 * JOB * i
        is_whole = is_whole and load_i64(job, SIZE) <= most
        is_whole = is_whole and _first_pass(job, sums, tallies, scratch[2])
    if is_whole:
        read_moments(sums, tallies, moments)
        minimum, maximum = moments[MomentColumn.MINIMUM], moments[MomentColumn.MAXIMUM]
        left, right = shown_range(axis, minimum, maximum)
        is_whole = _LEAST < right - left < _MOST
        if is_whole:
            taken = scratch[3]
            start, width = logarithmic_range(
                load_i64(tallies, Tallies.NEAR), load_i64(tallies, Tallies.FAR)
            )
            _count(jobs, count, left, right, start, width, with_logarithm, scratch)
            if with_logarithm:
                _fill_logarithmic(start, width, taken + 4 * PLACES, logarithmic)
            _fill_linear(left, right, taken, linear)
    empty_figures(sums, tallies)
    return is_whole


@jit
def measure_whole_rows(  # type: ignore[no-untyped-def]
    jobs, count, whole, table, unit_table, most, rows, options, moments, linear, logarithmic
):
    """Measure tensors, each into its row, and their units.

    Args:
        jobs: address of int64 [count, JOB]; those of a row are neighbours.
        whole: whether nothing else comes to these rows before they are read, nor are they merged
            with others; otherwise all go into the bins.
        table: `Table.address`.
        unit_table: `UnitTable.address`; 0 where no job has units.
        most: a row with a larger tensor goes into the bins, see `kernel.add_to_row`.
        options: see `arrays_of`, and so are the last three, which are filled.

    Returns:
        How many rows went into the bins.
    """
    axes, logs, states, moments, linear, logarithmic = arrays_of(
        rows, options, moments, linear, logarithmic
    )
    lanes = load_i64(table, 3)
    places = lanes + LANES_BYTES
    scratch = lanes, places, places + 4 * BLOCK, places + 8 * BLOCK
    in_bins, first = 0, 0
    while first < count:
        at = jobs + 8 * JOB * first
        row, last = load_i64(at, ROW), first + 1
        while last < count and load_i64(jobs + 8 * JOB * last, ROW) == row:
            last += 1
        number, first = last - first, last
        for i in range(number):
            job = at + 8 * JOB * i
            if load_i64(job, UNIT_ROW) >= 0:
                add_tensor(
                    load_i64(job, KIND),
                    load_i64(job, ADDRESS),
                    load_i64(job, SIZE),
                    load_i64(job, UNITS),
                    load_i64(job, INNER),
                    load_i64(job, UNIT_ROW),
                    unit_table,
                )
        if states[row] != IN_TABLE:
            states[row] = LOST
            continue
        _, sums, tallies = addresses_of(table, row)
        is_whole = whole and load_i64(tallies, Tallies.COUNT) == 0
        if is_whole and _measure_row(
            at,
            number,
            sums,
            tallies,
            most,
            axes[row],
            logs[row],
            scratch,
            moments[row],
            linear[row],
            logarithmic[row],
        ):
            states[row] = FILLED
            continue
        in_bins += 1
        for i in range(number):
            job = at + 8 * JOB * i
            kind, address, size = load_i64(job, KIND), load_i64(job, ADDRESS), load_i64(job, SIZE)
            add_to_row(kind, address, size, row, table, most)
    return in_bins
