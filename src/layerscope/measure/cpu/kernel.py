"""The CPU kernel: one read of a tensor adds its counts and moments to a row of a table.

A tensor is taken in blocks. Of a large one `one_pass` finds a block's sums and extremes while it
counts, in lanes that are merged into the row at the end: one read-modify-write an element and cycle
is the limit of the machine. A block of a small one, or of float64, stays in the L1 cache for its
passes: extremes and sums (see `block_figures`), bin numbers (vector instructions, int32), and the
counts. A block with a NaN, an infinity or a subnormal float32 goes element by element.

Nothing is allocated. The caller hands over addresses: see `raw_memory` and `table`.
"""

import numpy as np

from layerscope.measure.bins import BINS, ZERO
from layerscope.measure.cpu.block_figures import (
    NORMAL,
    TOP,
    add_counted,
    add_figures,
    add_figures_f64,
)
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.elements import add_elements, first_finite
from layerscope.measure.cpu.kinds import FLOAT32, FLOAT64
from layerscope.measure.cpu.lanes import count_in_lanes, merge_lanes
from layerscope.measure.cpu.one_pass import WIDTH
from layerscope.measure.cpu.raw_memory import (
    add_i64,
    increment_i64,
    load_f64,
    load_i32,
    load_i64,
    store_f64,
    store_i32,
    store_i64,
)
from layerscope.measure.cpu.row import addresses_of, finite_of
from layerscope.measure.cpu.table import BLOCK, LANES_BYTES, LANES_PAY_FROM, SPARE
from layerscope.measure.cpu.widen import widen
from layerscope.measure.row_layout import Sums, Tallies

_I = np.int32


@jit
def _bins(address, size, bins):  # type: ignore[no-untyped-def]
    """Bin numbers of normal float32 into `bins`, and spare places for zeros."""
    for i in range(size):
        bits = load_i32(address, i)
        absolute = _I(bits & _I(0x7FFFFFFF))
        sign = _I(bits >> _I(31))  # 0, or -1: x ^ sign - sign negates
        magnitude = _I(_I(absolute >> _I(TOP)) + _I(NORMAL + 1))
        index = _I(_I(ZERO) + _I(_I(magnitude ^ sign) - sign))
        store_i32(bins, i, _I(BINS + (i & (SPARE - 1))) if absolute == _I(0) else index)


@jit
def _count(address, size, counts, lanes, bins):  # type: ignore[no-untyped-def]
    """Count normal float32 and zeros in the lanes; in the row, where `lanes` is 0."""
    if lanes:
        count_in_lanes(address, size, lanes, 1)
        return
    _bins(address, size, bins)
    for i in range(size):
        increment_i64(counts, load_i32(bins, i))


@jit
def _not_zero(address, size):  # type: ignore[no-untyped-def]
    found = 0
    for i in range(size):
        found += (load_i32(address, i) & 0x7FFFFFFF) != 0
    return found


@jit
def _sampled(size, share, table):  # type: ignore[no-untyped-def]
    """A run of a block, first:last, that has this share of its elements and lies anywhere in it."""
    length = min(size, max(1, np.int64(size * share + 0.5)))
    state = load_i64(table, 4)  # xorshift64: Marsaglia 2003, "Xorshift RNGs"
    state ^= state << 13
    state ^= np.int64(np.uint64(state) >> np.uint64(7))
    state ^= state << 17
    store_i64(table, 4, state)
    first = np.int64(np.uint64(state) % np.uint64(size - length + 1))
    return first, first + length


@jit
def add_to_row(kind, address, size, row, table, most):  # type: ignore[no-untyped-def]
    """Add `size` contiguous elements to a row of a table.

    Args:
        kind: of `kinds`.
        address: of the first element.
        size: elements; 0 is allowed.
        table: `Table.address`.
        most: elements that are counted in the bins. Of a larger tensor a random run of each block
            is; its moments, extremes, zeros and non-finite counts are exact all the same.

    Returns:
        How many NaN and infinities the row holds now.
    """
    counts, sums, tallies = addresses_of(table, row)
    lanes = load_i64(table, 3)
    bins = lanes + LANES_BYTES
    wide = bins + 4 * BLOCK

    fresh = load_i64(tallies, Tallies.COUNT) == 0
    add_i64(tallies, Tallies.COUNT, size)
    used = lanes if min(size, most) >= LANES_PAY_FROM else 0
    # A lane is a uint32: it is emptied before it could overflow.
    for part in range(0, size, 1 << 32):
        start, stop = part, min(size, part + (1 << 32))
        while start < stop:
            length = min(stop - start, BLOCK)
            first, last = 0, length
            in_one_pass = used and kind != FLOAT64 and most >= size and length >= WIDTH
            if in_one_pass:
                length &= -WIDTH  # the last few make a block of their own
            if most < size:
                first, last = _sampled(length, most / size, table)
            block = source = wide  # float32
            if kind == FLOAT32:
                block = source = address + 4 * start
            elif kind == FLOAT64:
                source = address + 8 * start
            else:
                widen(kind, address + 2 * start, length, wide)
            if fresh:
                store_f64(sums, Sums.SHIFT, first_finite(kind == FLOAT64, source, length))
                fresh = False
            if in_one_pass:
                is_clean = add_counted(block, length, sums, tallies, lanes)
            elif kind == FLOAT64:
                is_clean = add_figures_f64(source, length, wide, sums, tallies)
            else:
                is_clean = add_figures(block, length, sums, tallies)
            if not is_clean:
                if in_one_pass:
                    count_in_lanes(block, length, lanes, -1)
                low, high = load_f64(sums, Sums.LOW), load_f64(sums, Sums.HIGH)
                if kind != FLOAT64:  # compared as torch does
                    low, high = np.float64(np.float32(low)), np.float64(np.float32(high))
                add_elements(
                    kind == FLOAT64, source, length, first, last, low, high, counts, sums, tallies
                )
            elif not in_one_pass:
                _count(block + 4 * first, last - first, counts, used, bins)
                if last - first < length:
                    left_out = _not_zero(block, length) - _not_zero(block + 4 * first, last - first)
                    add_i64(tallies, Tallies.LEFT_OUT, left_out)
            start += length
        if used:
            merge_lanes(lanes, counts, tallies)
    store_i64(counts, ZERO, load_i64(tallies, Tallies.ZEROS))
    return load_i64(tallies, Tallies.COUNT) - finite_of(tallies)
