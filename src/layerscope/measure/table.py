"""Where the kernels keep what they count: one row per measured tensor.

A table is plain memory with three parts per row, and a scratch that every call uses and leaves
zeroed. The numbers below are offsets, in elements, into a row's part.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from layerscope.measure.bins import BINS

# Sums, float64.
SHIFT, SUM, SQUARES, ABSOLUTE, MINIMUM, MAXIMUM, LOW, HIGH = range(8)
# Tallies, int64. NEAR and FAR: bins between zero and the finite value nearest to it, farthest from.
# LEFT_OUT: finite elements, zeros apart, that a sample left out of the bins.
COUNT, ZEROS, NAN, POSITIVE_INF, NEGATIVE_INF, OUTSIDE, NEAR, FAR, LEFT_OUT = range(9)
FIELDS = 16

BLOCK = 2048
"""Elements that a kernel takes at a time: 8 kB, which all its passes find in the L1 cache."""

SPARE = 8
"""Places behind a row's bins that zeros go to in turn: a ReLU's zeros, all in one bin, would wait
for each other's store. How many there are is known anyway; what the places count is not read."""

ROW = BINS + SPARE + -(BINS + SPARE) % 8
"""int64 counts from one row to the next: whole cache lines."""

LANES = 4
"""Interleaved rows of uint32 counts that a large tensor is counted in, to be folded into its row:
equal neighbours (saturated outputs) don't wait for each other's store."""

LANES_PAY_FROM = 32_768
"""Elements from which the lanes save more than their folding costs."""

# One cache line more than the bins: rows a multiple of 4 kB apart would alias in the store buffer.
LANE_BYTES = (ROW * 4 // 4096 + 1) * 4096 + 192

_SEED = 0x2545F4914F6CDD1D  # any but 0

UNBOUNDED = (-math.inf, math.inf)


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
        if rows < 0:
            raise ValueError(f"rows must be at least 0, got {rows}")
        self.counts: npt.NDArray[np.int64] = np.zeros((rows, ROW), np.int64)
        self.sums = np.zeros((rows, FIELDS), np.float64)
        self.tallies = np.zeros((rows, FIELDS), np.int64)
        self._scratch = np.zeros(LANES * LANE_BYTES + 4 * BLOCK * 2 + 64, np.uint8)
        scratch = self._scratch.ctypes.data
        self._addresses = np.array(
            [
                self.counts.ctypes.data,
                self.sums.ctypes.data,
                self.tallies.ctypes.data,
                scratch + -scratch % 64,
                _SEED,
            ],
            np.int64,
        )
        self.address = int(self._addresses.ctypes.data)
        self.sums[:, LOW], self.sums[:, HIGH] = UNBOUNDED
        self.tallies[:, NEAR] = BINS
        self.sums[:, MINIMUM], self.sums[:, MAXIMUM] = math.inf, -math.inf
