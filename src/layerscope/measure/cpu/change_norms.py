"""How far weights have moved: one read of what they are and of what they were."""

from functools import partial

import numpy as np

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import load_f32, load_i64, store_f64

NOW, BEFORE, SIZE = range(3)
CHANGE_JOB = 3
"""Numbers of a job, int64: two addresses of contiguous float32, and how many elements there are."""


@partial(jit, reassociate=True)
def _sums(now, before, size):  # type: ignore[no-untyped-def]
    changes, weights = 0.0, 0.0
    for i in range(size):
        was = np.float64(load_f32(before, i))
        change = np.float64(load_f32(now, i)) - was
        changes += change * change
        weights += was * was
    return changes, weights


@jit
def change_norms(jobs, count, norms):  # type: ignore[no-untyped-def]
    """The norm of each change, and that of each tensor before it.

    Args:
        jobs: address of int64 [count, CHANGE_JOB].
        norms: address of float64 [2, count], filled.
    """
    for i in range(count):
        job = jobs + 8 * CHANGE_JOB * i
        changes, weights = _sums(load_i64(job, NOW), load_i64(job, BEFORE), load_i64(job, SIZE))
        store_f64(norms, i, np.sqrt(changes))
        store_f64(norms, count + i, np.sqrt(weights))
