"""What is known of each unit: one block of memory per row, on the CPU or on a device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Fields of a block, [FIELDS, capacity] of 8 bytes. The first three belong to the step: finite
# extremes, float64, infinite without any; then int64: 1 for a unit that was active. SILENCE:
# samples in a row, up to the last reading, on which it was not; SINCE: the step where that began.
MINIMUM, MAXIMUM, ACTIVE, SILENCE, SINCE = range(5)
FIELDS = 5


class UnitBlocks:
    """Blocks of rows that learn later how many units they have.

    Args:
        device: where the blocks are.

    Attributes:
        units: per row; 0 of one that knows of none.
        samples: int64 [rows], in this step.
        blocks: per row, int64 [FIELDS, capacity].
        places: per row, its block's address and capacity.
    """

    def __init__(self, rows: int, device: torch.device) -> None:
        self.units = [0] * rows
        self.samples = torch.zeros(rows, dtype=torch.int64, device=device)
        self.blocks = [self._block(0) for _ in range(rows)]
        self.places = [(block.data_ptr(), 0) for block in self.blocks]

    def start(self, row: int, units: int) -> None:
        """Make a row know nothing but how many units it has."""
        if units > self.blocks[row].shape[1]:
            self.blocks[row] = block = self._block(units)
            self.places[row] = block.data_ptr(), units
        self.units[row] = units
        self.samples[row] = 0
        extremes = self.extremes(row)
        extremes[MINIMUM], extremes[MAXIMUM] = math.inf, -math.inf
        self.counters(row).zero_()

    def take_row(self, row: int, other: UnitBlocks, of: int) -> None:
        """Make a row what one of other blocks is, on the same device; a step under way included."""
        self.start(row, other.units[of])
        self.extremes(row).copy_(other.extremes(of))
        self.counters(row).copy_(other.counters(of))
        self.samples[row] = other.samples[of]

    def extremes(self, row: int) -> Tensor:
        """MINIMUM and MAXIMUM of a row, float64 [2, units]: a view."""
        return self.blocks[row].view(torch.float64)[:ACTIVE, : self.units[row]]

    def counters(self, row: int) -> Tensor:
        """ACTIVE, SILENCE and SINCE of a row, int64 [3, units]: a view."""
        return self.blocks[row][ACTIVE:, : self.units[row]]

    def _block(self, capacity: int) -> Tensor:
        return torch.empty((FIELDS, capacity), dtype=torch.int64, device=self.samples.device)
