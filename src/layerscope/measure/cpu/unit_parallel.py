"""A large tensor's units shared among torch's own threads: see `team` for why those.

Each thread takes units that no other has, so nothing need be merged.
"""

from functools import cache
from threading import Lock

import numpy as np
import numpy.typing as npt

from layerscope.measure.cpu.compiled import jit, jit_callback
from layerscope.measure.cpu.raw_memory import add_i64, load_i64
from layerscope.measure.cpu.team import MOST_THREADS, PART, claim, run_on_team
from layerscope.measure.cpu.unit_kernel import add_range, add_tensor
from layerscope.measure.cpu.unit_table import SAMPLES, SCRATCH_BYTES

_NEAREST = 16
"""Features that stay together: 64 bytes of float32, so that threads share no line of the tensor."""

# A job, int64: what is to be measured, and behind SCRATCH the addresses of the parts' scratch.
_NEXT, _PARTS, _KIND, _ADDRESS, _SIZE, _UNITS, _INNER, _ROW, _TABLE, _SCRATCH = range(10)

_in_use = Lock()  # the parts' scratch serves one tensor at a time


@jit
def _together(inner):  # type: ignore[no-untyped-def]
    return _NEAREST if inner == 1 else 1


@jit_callback
def _work(job):  # type: ignore[no-untyped-def]
    """Measure parts, as long as there are any: what each thread of the team runs."""
    units, parts, inner = load_i64(job, _UNITS), load_i64(job, _PARTS), load_i64(job, _INNER)
    together = _together(inner)
    groups = (units + together - 1) // together
    while True:
        part = claim(job)
        if part >= parts:
            return
        first = groups * part // parts * together
        last = min(groups * (part + 1) // parts * together, units)
        add_range(
            load_i64(job, _KIND),
            load_i64(job, _ADDRESS),
            load_i64(job, _SIZE),
            units,
            inner,
            first,
            last,
            load_i64(job, _ROW),
            load_i64(job, _TABLE),
            load_i64(job, _SCRATCH + part),
        )


@jit
def _count_samples(job):  # type: ignore[no-untyped-def]
    samples, row = load_i64(load_i64(job, _TABLE), SAMPLES), load_i64(job, _ROW)
    added = load_i64(job, _SIZE) // load_i64(job, _UNITS)
    add_i64(samples, row, added)


@cache
def _job(parts: int) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.uint8]]]:
    """A job of so many parts, and the memory that it points to."""
    own = [np.empty(SCRATCH_BYTES, np.uint8) for _ in range(parts)]
    return np.array([0] * _SCRATCH + [memory.ctypes.data for memory in own], np.int64), own


def add_in_parts(
    kind: int, address: int, size: int, units: int, inner: int, row: int, table: int, threads: int
) -> None:
    """Merge a contiguous tensor into a row, as `unit_kernel.add_tensor`, by up to `threads`.

    The other arguments are those of `unit_kernel.add_tensor`.
    """
    run = run_on_team()
    groups = -(-units // _together(inner))
    parts = min(threads, size // PART, groups, MOST_THREADS)
    if run is None or parts < 2:
        add_tensor(kind, address, size, units, inner, row, table)
        return
    with _in_use:
        job, _ = _job(parts)
        job[:_SCRATCH] = (0, parts, kind, address, size, units, inner, row, table)
        at = job.ctypes.data
        run(_work.address, at, parts, 0)
        _count_samples(at)
