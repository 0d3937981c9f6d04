"""Where the CPU kernels keep what they count: one row per measured tensor.

A table is plain memory with three parts per row, and a scratch that every call uses and leaves
zeroed.
"""

import math
import mmap
import sys
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from layerscope.arguments import at_least
from layerscope.measure.bins import BINS
from layerscope.measure.cpu.places import PLACES
from layerscope.measure.row_layout import FIELDS, UNBOUNDED, Sums, Tallies

BLOCK = 2048
"""Elements that a kernel takes at a time: 8 kB, which all its passes find in the L1 cache."""

SPARE = 8
"""Places behind a row's bins that zeros go to in turn: a ReLU's zeros, all in one bin, would wait
for each other's store. How many there are is known anyway; what the places count is not read."""

ROW = BINS + SPARE + -(BINS + SPARE) % 8
"""int64 counts from one row to the next: whole cache lines."""

LANES = 4
"""Counts, uint32, of each place that a large tensor is counted in before it is merged into its row:
see `lanes`."""

LANES_PAY_FROM = 32_768
"""Elements from which the lanes save more than their merging costs."""

LANES_BYTES = 4 * LANES << 16

SCRATCH_BYTES = LANES_BYTES + 4 * BLOCK * 2 + 8 * PLACES

SPARSE_FROM = 1 << 28
"""Bytes of counts from which memory is taken in pages of 4 kB, as they are touched: some 50 kB a
row. NumPy asks for pages of 2 MB, so that each row has all its 570 kB at once. With those the
processor finds its way sooner, which is 5 to 10 % of counting in 400 rows, and worth 256 MB of
memory, not 2 GB."""

_SEED = 0x2545F4914F6CDD1D  # any but 0


class Table:
    """Rows of counts, sums and tallies, with their addresses for the kernels.

    Args:
        rows: how many tensors are measured side by side.

    Attributes:
        counts: int64 [rows, ROW], of which the first BINS are the bins.
        sums: float64 [rows, FIELDS].
        tallies: int64 [rows, FIELDS].
        address: of the int64 addresses of counts, sums, tallies and scratch, in this order, and
            behind them the state of the samples' random numbers.
    """

    def __init__(self, rows: int) -> None:
        at_least(0, rows=rows)
        self.counts = _zeros(rows)
        self.sums = np.zeros((rows, FIELDS), np.float64)
        self.tallies = np.zeros((rows, FIELDS), np.int64)
        self._scratch, scratch = scratch_for_table()
        self._addresses = np.array(
            [
                self.counts.ctypes.data,
                self.sums.ctypes.data,
                self.tallies.ctypes.data,
                scratch,
                _SEED,
            ],
            np.int64,
        )
        self.address = int(self._addresses.ctypes.data)
        self.sums[:, Sums.LOW], self.sums[:, Sums.HIGH] = UNBOUNDED
        self.tallies[:, Tallies.NEAR] = BINS
        self.sums[:, Sums.MINIMUM], self.sums[:, Sums.MAXIMUM] = math.inf, -math.inf


def scratch_for_table() -> tuple[npt.NDArray[np.uint8], int]:
    """Memory for a table's scratch, all zeros, and the address from which it is used."""
    memory = np.zeros(SCRATCH_BYTES + 64, np.uint8)
    return memory, memory.ctypes.data + -memory.ctypes.data % 64


def _zeros(rows: int) -> npt.NDArray[np.int64]:
    """Counts of a table, int64 [rows, ROW]."""
    size = rows * ROW * 8
    if size < SPARSE_FROM or sys.platform != "linux":
        return np.zeros((rows, ROW), np.int64)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # of a kernel that has no pages of 2 MB
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, np.int64).reshape(rows, ROW)
