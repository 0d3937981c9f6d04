"""Blocks of units on the CPU, where the kernels find them.

The numbers below are offsets, in elements, into a row's head and into the table.
"""

import numpy as np
import torch

from layerscope.measure.row_options import UnitOptions
from layerscope.measure.unit_blocks import UnitBlocks

# A head, int64.
BLOCK, CAPACITY, UNITS = range(3)
HEAD = 3

# A table, int64: addresses of the heads, of the rows' samples and intervals, and of the scratch.
HEADS, SAMPLES, INTERVALS, SCRATCH = range(4)

TILE = 512
"""Units that a kernel takes at a time: their extremes and flags stay in the L1 cache."""

WIDE_ROWS = 8
"""Rows of a tile of 16-bit floats that are widened together: 16 kB of float32."""

SCRATCH_BYTES = 4 * TILE * (3 + WIDE_ROWS)


class UnitTable(UnitBlocks):
    """Blocks with their addresses."""

    def __init__(self, options: UnitOptions) -> None:
        super().__init__(options.rows, torch.device("cpu"))
        self._heads = np.zeros((options.rows, HEAD), np.int64)
        self._intervals = options.active.copy()
        self._scratch = np.empty(SCRATCH_BYTES, np.uint8)
        self._table = np.array(
            [
                self._heads.ctypes.data,
                self.samples.data_ptr(),
                self._intervals.ctypes.data,
                self._scratch.ctypes.data,
            ],
            np.int64,
        )
        self.address = int(self._table.ctypes.data)

    def start(self, row: int, units: int) -> None:
        """Make a row know nothing but how many units it has."""
        super().start(row, units)
        block = self.blocks[row]
        self._heads[row] = block.data_ptr(), block.shape[1], units
