"""Blocks of units on a CUDA device, and the launches that fill and read them."""

from __future__ import annotations

import torch
import triton
from torch import Tensor

from layerscope.measure.cuda.current import current
from layerscope.measure.cuda.job_list import JobList
from layerscope.measure.cuda.unit_kernel import add_units, read_units
from layerscope.measure.unit_blocks import UnitBlocks
from layerscope.measure.unit_options import UnitOptions
from layerscope.measure.unit_reading import UNIT_COLUMNS

ELEMENTS = 1024
"""Elements that a program takes at a time."""

WIDEST = 64
"""Features that a program takes side by side: two cache lines of float32."""

PROGRAMS = 512
"""Programs that share a tensor, unless it has more tiles of units than that."""

READ_BLOCK = 512
"""Units that a program reads at a time."""


class TritonUnits(UnitBlocks):
    """Blocks on a device; every method only enqueues, on the device's current stream.

    Args:
        device: a CUDA device; the CPU under Triton's interpreter.
    """

    def __init__(self, options: UnitOptions, device: torch.device) -> None:
        super().__init__(options.rows, device)
        self._device = device
        self._intervals = torch.from_numpy(options.active).to(device)
        self._heads = JobList(device)
        self._views = [(block.view(torch.float64), block) for block in self.blocks]

    def compile(self) -> None:
        """Compile the kernels for float32 now; raises what Triton raises where it cannot."""
        if self.units:
            self.start(0, 1)
            self.add(0, torch.zeros((1, 1), device=self._device), 1, 1)
            shape = (len(self.units), UNIT_COLUMNS)
            self.read(0, 1, torch.empty(shape, dtype=torch.float64, device=self._device))
            self.start(0, 0)

    def start(self, row: int, units: int) -> None:
        """Make a row know nothing but how many units it has."""
        super().start(row, units)
        self._views[row] = self.blocks[row].view(torch.float64), self.blocks[row]

    def add(self, row: int, tensor: Tensor, units: int, inner: int) -> None:
        """Merge a contiguous tensor, [outer, units, inner], into a row that has been started."""
        side_by_side = min(WIDEST, triton.next_power_of_2(units)) if inner == 1 else 1
        at_a_time = ELEMENTS // side_by_side
        samples = tensor.numel() // units
        tiles = triton.cdiv(units, side_by_side)
        sharers = min(triton.cdiv(samples, at_a_time), max(1, PROGRAMS // tiles))
        extremes, counters = self._views[row]
        with current(self._device):
            add_units[(tiles, sharers)](
                tensor,
                samples,
                units,
                inner,
                row,
                extremes,
                counters,
                counters.shape[1],
                self._intervals,
                self.samples,
                SAMPLES=at_a_time,
                UNITS=side_by_side,
            )

    def read(self, step: int, window: int, out: Tensor) -> None:
        """Fill out, the `UnitReading.values` of all rows; empty what belongs to the step."""
        if not self.units:
            return
        blocks = zip(self.blocks, self.units, strict=True)
        heads = [(block.data_ptr(), block.shape[1], units) for block, units in blocks]
        with current(self._device):
            read_units[(len(heads),)](
                self._heads.send(heads),
                self._intervals,
                self.samples,
                step,
                window,
                out,
                BLOCK=READ_BLOCK,
            )
