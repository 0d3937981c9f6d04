"""Parts of a tensor shared among torch's own threads.

torch's OpenMP threads spin for some milliseconds after each of its operations, so that they are at
hand for the next one. A pool beside them would share the cores with threads that spin: it made no
step faster. So the parts are run on those very threads, through the entry point that a compiler
emits for `#pragma omp parallel`, in the OpenMP library that torch's Linux packages carry. Where
there is none (macOS, Windows), one thread measures.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.ir as ir
import torch
from numba import types
from numba.extending import intrinsic

PART = 32_768
"""Elements that a part has at least: 25 us of work, where starting and merging one takes 5."""

MOST_THREADS = 64
"""Of a team."""


def _atomic_claim() -> Any:
    @intrinsic
    def claim(_typing: Any, _address: Any) -> Any:
        def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            counter = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
            return builder.atomic_rmw("add", counter, ir.Constant(ir.IntType(64), 1), "seq_cst")

        return types.int64(types.int64), codegen

    return claim


claim = _atomic_claim()  # the number at an address, which is one more from then on


@cache
def run_on_team() -> Callable[[int, int, int, int], None] | None:
    """`GOMP_parallel(function, argument, threads, flags)` of the OpenMP library that torch uses."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*")):
        run = ctypes.CDLL(str(path)).GOMP_parallel
        run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        run.restype = None
        return run
    return None


def threads_of_team() -> int:
    """How many threads torch has; 1 where they cannot be had."""
    return 1 if run_on_team() is None else torch.get_num_threads()
