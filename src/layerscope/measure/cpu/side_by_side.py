"""Several large tensors measured side by side by torch's own threads, each by one of them.

Threads that share a tensor count it in tables of their own, and merging these takes most of what
they save, since what one core has counted lies in its cache. Of several tensors, each of a row of
its own, nothing need be merged; and the sums are those of one thread, to the last bit.
"""

from array import array
from collections.abc import Sequence
from functools import cache
from operator import itemgetter
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from layerscope.measure.cpu.compiled import jit, jit_callback
from layerscope.measure.cpu.kernel import add_to_row
from layerscope.measure.cpu.raw_memory import load_i64, store_i64
from layerscope.measure.cpu.table import scratch_for_table
from layerscope.measure.cpu.team import MOST_THREADS, claim, run_on_team
from layerscope.measure.cpu.unit_kernel import add_tensor
from layerscope.measure.cpu.unit_table import SCRATCH_BYTES as UNIT_SCRATCH_BYTES
from layerscope.measure.cpu.whole_rows import ADDRESS, INNER, JOB, KIND, ROW, SIZE, UNIT_ROW, UNITS

# What the threads share, int64: which row comes next, and which thread; how many rows there are;
# the addresses of the jobs, and of each row's first job and the one after its last; the table, the
# unit table; elements that are counted at most; and each thread's own addresses.
_NEXT, _THREAD, _ROWS, _JOBS, _BOUNDS, _TABLE, _UNIT_TABLE, _MOST, _OWN = range(9)

# The addresses of a table and of a unit table, each with its scratch, which is the thread's own.
_ADDRESSES, _UNIT_ADDRESSES = 5, 4
_SCRATCH, _UNIT_SCRATCH = 3, _ADDRESSES + 3

_in_use = Lock()  # the threads' scratch serves one list at a time


@jit
def _tables_of(shared, thread):  # type: ignore[no-untyped-def]
    """A thread's table and unit table: the rows are those of all, the scratch is its own."""
    table, unit_table = load_i64(shared, _TABLE), load_i64(shared, _UNIT_TABLE)
    if thread == 0:
        return table, unit_table
    own = load_i64(shared, _OWN) + 8 * (_ADDRESSES + _UNIT_ADDRESSES) * (thread - 1)
    for i in range(_ADDRESSES):
        if i != _SCRATCH:
            store_i64(own, i, load_i64(table, i))
    if unit_table:
        for i in range(_UNIT_ADDRESSES - 1):
            store_i64(own, _ADDRESSES + i, load_i64(unit_table, i))
    return own, own + 8 * _ADDRESSES


@jit
def _measure_rows(shared):  # type: ignore[no-untyped-def]
    """Measure rows, as long as there are any."""
    table, unit_table = _tables_of(shared, claim(shared + 8 * _THREAD))
    while True:
        row = claim(shared + 8 * _NEXT)
        if row >= load_i64(shared, _ROWS):
            return
        bounds = load_i64(shared, _BOUNDS)
        for i in range(load_i64(bounds, 2 * row), load_i64(bounds, 2 * row + 1)):
            job = load_i64(shared, _JOBS) + 8 * JOB * i
            kind, address, size = load_i64(job, KIND), load_i64(job, ADDRESS), load_i64(job, SIZE)
            add_to_row(kind, address, size, load_i64(job, ROW), table, load_i64(shared, _MOST))
            unit_row, units = load_i64(job, UNIT_ROW), load_i64(job, UNITS)
            if unit_row >= 0:
                add_tensor(kind, address, size, units, load_i64(job, INNER), unit_row, unit_table)


@jit_callback
def _work(shared):  # type: ignore[no-untyped-def]
    """What each thread of the team runs."""
    _measure_rows(shared)


@cache
def _own_addresses(threads: int) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Of each thread but the first its addresses, with its scratch, and the memory of these."""
    own = np.zeros((threads - 1, _ADDRESSES + _UNIT_ADDRESSES), np.int64)
    kept: list[Any] = []
    for row in own:
        memory, row[_SCRATCH] = scratch_for_table()
        unit_memory = np.empty(UNIT_SCRATCH_BYTES, np.uint8)
        row[_UNIT_SCRATCH] = unit_memory.ctypes.data
        kept += (memory, unit_memory)
    return own, kept


def measure_side_by_side(
    jobs: Sequence[int], table: int, unit_table: int, most: int, threads: int
) -> None:
    """Add contiguous tensors to rows of a table, as `kernel.add_to_row`, by up to `threads`.

    Args:
        jobs: JOB numbers for each tensor, see `whole_rows`; those of a row are neighbours.
        table: `Table.address`.
        unit_table: `UnitTable.address`; 0 where no job has units.
        most: elements of a tensor that are counted in the bins: no tensor has more.
        threads: at least 1.
    """
    memory = array("q", jobs)
    rows, sizes = memory[ROW::JOB], memory[SIZE::JOB]
    bounds: list[tuple[int, int, int]] = []  # of each row: elements, first job, one behind the last
    first = 0
    for i in range(1, len(rows) + 1):
        if i == len(rows) or rows[i] != rows[first]:
            bounds.append((sum(sizes[first:i]), first, i))
            first = i
    bounds.sort(key=itemgetter(0), reverse=True)  # so that threads end together
    where = array("q", [number for _, *both in bounds for number in both])
    run = run_on_team() if threads > 1 and len(bounds) > 1 else None
    at_a_time = min(threads, MOST_THREADS)
    with _in_use:
        own, _ = _own_addresses(at_a_time)
        shared = array("q", (0, 0, len(bounds), memory.buffer_info()[0], where.buffer_info()[0]))
        shared.extend((table, unit_table, most, own.ctypes.data))
        at = shared.buffer_info()[0]
        if run is None:
            _measure_rows(at)
        else:
            run(_work.address, at, min(at_a_time, len(bounds)), 0)
