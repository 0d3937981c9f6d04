"""A large tensor measured by torch's own threads, each part into a table of its own."""

from functools import cache
from threading import Lock
from typing import Any

import numpy as np

from layerscope.measure.cpu.compiled import jit, jit_callback
from layerscope.measure.cpu.kernel import add_to_row
from layerscope.measure.cpu.kinds import FLOAT32, FLOAT64
from layerscope.measure.cpu.merge import merge_row
from layerscope.measure.cpu.raw_memory import load_f64, load_i64, store_f64
from layerscope.measure.cpu.row import addresses_of, empty_row
from layerscope.measure.cpu.table import BLOCK, Table
from layerscope.measure.cpu.team import MOST_THREADS, PART, claim, run_on_team
from layerscope.measure.row_layout import Sums, Tallies

# A job, int64: what is to be measured, and behind OWN the addresses of the parts' own tables,
# whose lanes are their own as well.
_NEXT, _PARTS, _KIND, _ADDRESS, _SIZE, _ROW, _TABLE, _MOST, _OWN = range(9)

_in_use = Lock()  # the parts' tables serve one tensor at a time


@jit
def _bounds(job, part):  # type: ignore[no-untyped-def]
    """Where a part begins and ends: whole blocks, but for the last."""
    size, parts = load_i64(job, _SIZE), load_i64(job, _PARTS)
    length = (size // parts // BLOCK + 1) * BLOCK
    return min(part * length, size), min((part + 1) * length, size)


@jit_callback
def _work(job):  # type: ignore[no-untyped-def]
    """Measure parts, as long as there are any: what each thread of the team runs."""
    kind, size = load_i64(job, _KIND), load_i64(job, _SIZE)
    width = 4 if kind == FLOAT32 else (8 if kind == FLOAT64 else 2)
    while True:
        part = claim(job)
        if part >= load_i64(job, _PARTS):
            return
        start, stop = _bounds(job, part)
        row, table = load_i64(job, _ROW), load_i64(job, _TABLE)
        if part > 0:
            own = load_i64(job, _OWN + part)
            _, interval, _ = addresses_of(table, row)
            store_f64(load_i64(own, 1), Sums.LOW, load_f64(interval, Sums.LOW))
            store_f64(load_i64(own, 1), Sums.HIGH, load_f64(interval, Sums.HIGH))
            row, table = 0, own
        most = np.int64(load_i64(job, _MOST) * ((stop - start) / size))
        address = load_i64(job, _ADDRESS) + start * width
        add_to_row(kind, address, stop - start, row, table, most)


@jit
def _merge_parts(job):  # type: ignore[no-untyped-def]
    """Merge what the parts counted into the row, and leave their tables empty."""
    for part in range(1, load_i64(job, _PARTS)):
        own = load_i64(job, _OWN + part)
        merge_row(own, 0, load_i64(job, _TABLE), load_i64(job, _ROW))
        empty_row(own, 0)


@cache
def _job(threads: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[Table]]:
    """A job for so many threads, and the tables that it points to."""
    tables = [Table(1) for _ in range(threads - 1)]
    addresses = [table.address for table in tables]
    return np.array([0] * (_OWN + 1) + addresses, np.int64), tables


def add_in_parts(
    kind: int, address: int, size: int, row: int, table: Table, most: int, threads: int
) -> int:
    """Add contiguous elements to a row of a table, as `kernel.add_to_row`, by up to `threads`.

    The other arguments, and what is returned, are those of `kernel.add_to_row`.
    """
    run = run_on_team()
    parts = min(threads, size // PART, MOST_THREADS)
    if run is None or parts < 2:
        return int(add_to_row(kind, address, size, row, table.address, most))
    with _in_use:
        job, _ = _job(parts)
        job[:_OWN] = (0, parts, kind, address, size, row, table.address, min(most, size))
        at = job.ctypes.data
        run(_work.address, at, parts, 0)
        _merge_parts(at)
    return int(table.tallies[row, Tallies.NAN : Tallies.NEGATIVE_INF + 1].sum())
