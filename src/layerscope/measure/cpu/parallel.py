"""A large tensor measured by torch's own threads, each part into a table of its own.

torch's OpenMP threads spin for some milliseconds after each of its operations, so that they are at
hand for the next one. A pool beside them would share the cores with threads that spin: it made no
step faster. So the parts are run on those very threads, through the entry point that a compiler
emits for `#pragma omp parallel`, in the OpenMP library that torch's Linux packages carry. Where
there is none (macOS, Windows), one thread measures.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import llvmlite.ir as ir
import numpy as np
import torch
from numba import cfunc, njit, types
from numba.extending import intrinsic

from layerscope.measure.cpu.kernel import FLOAT32, FLOAT64, add_to_row
from layerscope.measure.cpu.merge import add_row
from layerscope.measure.cpu.raw_memory import load_f64, load_i64, store_f64
from layerscope.measure.cpu.rebin import empty_row
from layerscope.measure.table import BLOCK, FIELDS, HIGH, LOW, NAN, NEGATIVE_INF, Table

PART = 32_768
"""Elements that a part has at least: 25 us of work, where starting and merging one takes 5."""

# A job, int64: what is to be measured, and behind OWN the addresses of the parts' own tables.
_NEXT, _PARTS, _KIND, _ADDRESS, _SIZE, _ROW, _TABLE, _MOST, _OWN = range(9)
_MOST_THREADS = 64

_in_use = Lock()  # the parts' tables serve one tensor at a time


def _atomic_claim() -> Any:
    @intrinsic
    def claim(_typing: Any, _address: Any) -> Any:
        def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            counter = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
            return builder.atomic_rmw("add", counter, ir.Constant(ir.IntType(64), 1), "seq_cst")

        return types.int64(types.int64), codegen

    return claim


_claim = _atomic_claim()  # the number at an address, which is one more from then on


@njit(nogil=True, cache=True)
def _bounds(job, part):  # type: ignore[no-untyped-def]
    """Where a part begins and ends: whole blocks, but for the last."""
    size, parts = load_i64(job, _SIZE), load_i64(job, _PARTS)
    length = (size // parts // BLOCK + 1) * BLOCK
    return min(part * length, size), min((part + 1) * length, size)


@cfunc(types.void(types.int64), cache=True)
def _work(job):  # type: ignore[no-untyped-def]
    """Measure parts, as long as there are any: what each thread of the team runs."""
    kind, size = load_i64(job, _KIND), load_i64(job, _SIZE)
    width = 4 if kind == FLOAT32 else (8 if kind == FLOAT64 else 2)
    while True:
        part = _claim(job)
        if part >= load_i64(job, _PARTS):
            return
        start, stop = _bounds(job, part)
        row, table = load_i64(job, _ROW), load_i64(job, _TABLE)
        if part > 0:
            own = load_i64(job, _OWN + part)
            interval = load_i64(table, 1) + row * FIELDS * 8
            store_f64(load_i64(own, 1), LOW, load_f64(interval, LOW))
            store_f64(load_i64(own, 1), HIGH, load_f64(interval, HIGH))
            row, table = 0, own
        most = np.int64(load_i64(job, _MOST) * ((stop - start) / size))
        address = load_i64(job, _ADDRESS) + start * width
        add_to_row(kind, address, stop - start, row, table, most)


_WORK = int(_work.address or 0)


@njit(nogil=True, cache=True)
def _merge(job):  # type: ignore[no-untyped-def]
    """Add what the parts counted to the row, and leave their tables empty."""
    for part in range(1, load_i64(job, _PARTS)):
        own = load_i64(job, _OWN + part)
        add_row(own, 0, load_i64(job, _TABLE), load_i64(job, _ROW))
        empty_row(own, 0)


@cache
def _run_on_team() -> Callable[[int, int, int, int], None] | None:
    """`GOMP_parallel(function, argument, threads, flags)` of the OpenMP library that torch uses."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*")):
        run = ctypes.CDLL(str(path)).GOMP_parallel
        run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        run.restype = None
        return run
    return None


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
    run = _run_on_team()
    parts = min(threads, size // PART, _MOST_THREADS)
    if run is None or parts < 2:
        return int(add_to_row(kind, address, size, row, table.address, most))
    with _in_use:
        job, _ = _job(parts)
        job[:_OWN] = (0, parts, kind, address, size, row, table.address, min(most, size))
        at = job.ctypes.data
        run(_WORK, at, parts, 0)
        _merge(at)
    return int(table.tallies[row, NAN : NEGATIVE_INF + 1].sum())
