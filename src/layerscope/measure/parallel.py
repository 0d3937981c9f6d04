"""A large tensor measured by several threads, each its part into a table of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from threading import Lock

from layerscope.measure.kernel import ELEMENT_BYTES, add_to_row
from layerscope.measure.merge import add_row
from layerscope.measure.rebin import empty_row
from layerscope.measure.table import BLOCK, HIGH, LOW, Table

PART = 131_072
"""Elements that a part has at least: 80 us of work, where a thread is awake after some 20."""

_in_use = Lock()  # the workers' tables serve one tensor at a time


@lru_cache(maxsize=1)
def _workers(_process: int) -> tuple[Callable[..., Future[None]], list[Table]]:
    """Threads and a table for each of them; a forked process has threads of its own."""
    threads = max((os.cpu_count() or 1) - 1, 1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="layerscope")
    return pool.submit, [Table(1) for _ in range(threads)]


def add_in_parts(
    kind: int, address: int, size: int, row: int, table: Table, most: int, threads: int
) -> None:
    """Add contiguous elements to a row of a table, as `kernel.add_to_row`, by up to `threads`.

    The other arguments are those of `kernel.add_to_row`.
    """
    with _in_use:
        submit, tables = _workers(os.getpid())
        parts = min(threads, size // PART, len(tables) + 1)
        length = -(-size // parts // BLOCK) * BLOCK
        bounds = [min(i * length, size) for i in range(parts + 1)]
        waiting = []
        for i, own in zip(range(1, parts), tables, strict=False):
            own.sums[0, [LOW, HIGH]] = table.sums[row, [LOW, HIGH]]
            start = address + bounds[i] * ELEMENT_BYTES[kind]
            length = bounds[i + 1] - bounds[i]
            share = most * length // size
            waiting.append(submit(add_to_row, kind, start, length, 0, own.address, share))
        add_to_row(kind, address, bounds[1], row, table.address, most * bounds[1] // size)
        for future, own in zip(waiting, tables, strict=False):
            future.result()
            add_row(own.address, 0, table.address, row)
            empty_row(own.address, 0)
