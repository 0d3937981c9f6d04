"""Blocks of units on a CUDA device, and the launches that fill and read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import triton.language as tl
from torch import Tensor

from layerscope.measure.cuda.current import current
from layerscope.measure.cuda.elements import ALIGNMENT, KINDS
from layerscope.measure.cuda.job_list import JobLists, launches
from layerscope.measure.cuda.launcher import Launcher
from layerscope.measure.cuda.unit_kernel import add_units, read_units
from layerscope.measure.row_options import UnitOptions
from layerscope.measure.unit_blocks import UnitBlocks
from layerscope.measure.unit_reading import UNIT_COLUMNS

ELEMENTS = 1024
"""Elements that a program takes at a time."""

WARPS = 4

WIDEST = 256
"""Features that a program takes side by side, at most."""

SHARE = 32_768
"""Elements that a program has at least, where there are so many."""

PROGRAMS = 2048
"""Programs of a launch, some; a tensor has one for each tile of units at least."""

READ_BLOCK = 512
"""Units that a program reads at a time."""

_OF_32_BITS = 1 << 31
"""From here on Triton takes a number for one of 64 bits."""

_Place = tuple[int, int, int, int, int]
"""Of a tensor: row, address, size, units, and how many elements of one lie side by side."""

_Kind = tuple[torch.dtype, bool, int, bool]
"""Of tensors that one launch takes: see the last arguments of `add_units`."""


class TritonUnits(UnitBlocks):
    """Blocks on a device; every method only enqueues, on the device's current stream.

    Args:
        device: a CUDA device; the CPU under Triton's interpreter.
    """

    def __init__(self, options: UnitOptions, device: torch.device) -> None:
        super().__init__(options.rows, device)
        self._device = device
        self._intervals = torch.from_numpy(options.active).to(device)
        self._add = Launcher(add_units, num_warps=WARPS)
        self._read = Launcher(read_units)
        self._lists = JobLists(device)

    def compile(self) -> None:
        """Compile the kernels for float32 now; raises what Triton raises where it cannot."""
        if self.units:
            self.start(0, 1)
            self.add(0, torch.zeros((1, 1), device=self._device), 1, 1)
            shape = (len(self.units), UNIT_COLUMNS)
            self.read(0, 1, torch.empty(shape, dtype=torch.float64, device=self._device))
            self.start(0, 0)

    def add(self, row: int, tensor: Tensor, units: int, inner: int) -> None:
        """Merge a contiguous tensor, [outer, units, inner], into a row that has been started."""
        self.add_all([(row, tensor, units, inner)])

    def add_all(self, tensors: Iterable[tuple[int, Tensor, int, int]]) -> None:
        """Merge many, as `add` would one by one: one launch for each kind of them."""
        groups: dict[_Kind, list[_Place]] = {}
        taken, again = set(), []
        for row, tensor, units, inner in tensors:
            if row in taken:  # two in one launch would collide
                again.append((row, tensor, units, inner))
                continue
            taken.add(row)
            neighbours = units if inner == 1 else inner
            widest = WIDEST if inner == 1 else ELEMENTS
            columns = widest if neighbours >= widest else 1 << (neighbours - 1).bit_length()
            address = tensor.data_ptr()
            aligned = (address | neighbours) % ALIGNMENT == 0
            kind = (tensor.dtype, aligned, columns, inner == 1)
            groups.setdefault(kind, []).append((row, address, tensor.numel(), units, inner))
        for kind, group in groups.items():
            for part in launches(group):
                self._add_group(kind, part)
        if again:
            self.add_all(again)

    def _add_group(self, kind: _Kind, group: Sequence[_Place]) -> None:
        dtype, aligned, columns, is_features = kind
        rows = ELEMENTS // columns
        share = max(SHARE, sum(size for _, _, size, _, _ in group) // PROGRAMS)
        jobs: list[int] = []
        first = 0
        for row, of_tensor, size, units, inner in group:
            outer = size // (units * inner)
            tiles = -(-units // columns) if is_features else units
            of_tile = outer * (columns if is_features else inner)
            sharers = max(1, min(of_tile // share, -(-outer // rows)))
            place = self.places[row]
            jobs += (of_tensor, outer, units, inner, row, *place, first, tiles, sharers)
            first += tiles * sharers
        sent = self._lists.send((kind, group[0][0]), jobs)
        with current(self._device):
            self._add(
                kind,
                first,
                sent,
                len(group),
                self._intervals,
                self.samples,
                KINDS[dtype],
                tl.float64 if dtype == torch.float64 else tl.float32,
                aligned,
                rows,
                columns,
                is_features,
            )

    def read(self, step: int, window: int, out: Tensor) -> None:
        """Fill out, the `UnitReading` of all rows; empty what belongs to the step."""
        if not self.units:
            return
        heads: list[int] = []
        for place, units in zip(self.places, self.units, strict=True):
            heads += (*place, units)
        key = step >= _OF_32_BITS, window >= _OF_32_BITS, out.data_ptr() % ALIGNMENT == 0
        sent = self._lists.send("heads", heads)
        with current(self._device):
            self._read(
                key,
                len(self.units),
                sent,
                self._intervals,
                self.samples,
                step,
                window,
                out,
                READ_BLOCK,
            )
