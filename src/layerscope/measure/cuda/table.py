"""Rows on a CUDA device, and the launches that fill and read them."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from layerscope.measure.bins import BINS, ZERO
from layerscope.measure.cuda.current import current
from layerscope.measure.cuda.elements import ALIGNMENT, KINDS
from layerscope.measure.cuda.job_list import JobLists, launches
from layerscope.measure.cuda.kernel import BLOCK, REGISTERS, SHARE, WARPS, add_tensors
from layerscope.measure.cuda.launcher import Launcher
from layerscope.measure.cuda.partials import (
    ABSOLUTE,
    MAXIMUM,
    MINIMUM,
    NAN,
    NEAR,
    NEGATIVE_INF,
    OUTSIDE,
    PARTIALS,
    POSITIVE_INF,
    PROGRAMS,
    SQUARES,
)
from layerscope.measure.cuda.slots import SLOTS
from layerscope.measure.cuda.transfer_rows import WARPS as TRANSFER_WARPS
from layerscope.measure.cuda.transfer_rows import write_transfer_rows
from layerscope.measure.log_axis import LOG2_PARTS
from layerscope.measure.moments import MOMENTS, MomentColumn
from layerscope.measure.row_options import RowOptions
from layerscope.measure.row_state import NEAREST
from layerscope.measure.transfer_row import TRANSFERRED
from layerscope.measure.unit_layout import fills_its_memory

_Place = tuple[int, int, int]
"""Of a tensor: its row, address and size."""


class TritonTable:
    """Rows on a device; every method only enqueues, on the device's current stream.

    Args:
        device: a CUDA device; the CPU under Triton's interpreter.

    Attributes:
        counts: int64 [rows, BINS].
    """

    def __init__(self, options: RowOptions, device: torch.device) -> None:
        partials = torch.zeros((options.rows, PARTIALS.value, PROGRAMS), dtype=torch.float64)
        partials[:, MINIMUM.value] = math.inf
        partials[:, MAXIMUM.value] = -math.inf
        partials[:, NEAR.value] = BINS
        self.counts = torch.zeros((options.rows, BINS), dtype=torch.int64, device=device)
        self._device = device
        self._partials = partials.to(device)
        self._shifts = torch.zeros(options.rows, dtype=torch.float64, device=device)
        self._tops = torch.zeros(options.rows, dtype=torch.int32, device=device)
        self._intervals = torch.from_numpy(options.intervals).to(device)
        self._axes = torch.from_numpy(options.axes).to(device)
        self._logarithmic = torch.from_numpy(options.logarithmic).to(device, torch.int8)
        self._parts = torch.from_numpy(LOG2_PARTS).to(device)
        self._filled: set[int] = set()
        # Shared memory needs PTX: else the slots lie in global memory, and grow with the launches.
        self._shared = device.type == "cuda" and torch.version.hip is None
        self._slots = torch.empty(0, dtype=torch.int32, device=device)
        limits = {"maxnreg": REGISTERS} if self._shared else {}
        self._add = Launcher(add_tensors, num_warps=WARPS, enable_fp_fusion=True, **limits)
        # Without fusion buckets are those of the CPU, to the element.
        self._write = Launcher(
            write_transfer_rows, num_warps=TRANSFER_WARPS, enable_fp_fusion=False
        )
        # The next step's tensors of these rows lie where this step's did, most of the time.
        self._lists = JobLists(device)
        self._at_a_time = _programs_at_a_time(device)

    def compile(self) -> None:
        """Compile the kernels now, for every kind; raises what Triton raises where it cannot."""
        if len(self.counts):
            for kind in KINDS:
                self.add(0, torch.zeros(ALIGNMENT, device=self._device, dtype=kind))
            self.read(1, True, self._transfer_rows(1))

    def add(self, row: int, tensor: Tensor) -> None:
        """Measure a floating-point tensor on the table's device into a row."""
        self.add_all([(row, tensor)])

    def add_all(self, tensors: Iterable[tuple[int, Tensor]]) -> None:
        """Measure many tensors: one launch for each kind of them that has rows of its own."""
        groups: dict[tuple[torch.dtype, bool], list[_Place]] = {}
        taken, again, copies = set(), [], []
        for row, tensor in tensors:
            if not (size := tensor.numel()):
                continue
            if row in taken:  # two in one launch would collide
                again.append((row, tensor))
                continue
            taken.add(row)
            if not fills_its_memory(tensor):
                tensor = tensor.contiguous()
                copies.append(tensor)  # until they are launched
            address = tensor.data_ptr()
            aligned = (address | size) % ALIGNMENT == 0
            groups.setdefault((tensor.dtype, aligned), []).append((row, address, size))
        for (dtype, aligned), group in groups.items():
            for part in launches(group):
                self._add_group(dtype, aligned, part)
        if again:
            self.add_all(again)

    def _add_group(self, dtype: torch.dtype, aligned: bool, group: Sequence[_Place]) -> None:
        # Twice as many programs as run at a time even out what they have to do; one tensor's have
        # all the same to do.
        elements = sum(size for _, _, size in group)
        share = max(SHARE, elements // (self._at_a_time * min(len(group), 2)))
        jobs: list[int] = []
        first = 0
        filled = self._filled
        for row, address, size in group:
            sharers = min(PROGRAMS, size // share) or 1
            jobs += (address, size, row, row not in filled, first, sharers)
            filled.add(row)
            first += sharers
        sent = self._lists.send((dtype, aligned, group[0][0]), jobs)
        with current(self._device):
            self._add(
                (dtype, aligned),
                first,
                sent,
                len(group),
                self.counts,
                self._partials,
                self._intervals,
                self._shifts,
                self._tops,
                self._slots_of(first),
                KINDS[dtype],
                aligned,
                BLOCK,
                PROGRAMS,
                self._shared,
            )

    def read(self, rows: int, reset: bool, out: Tensor) -> None:
        """Write what the first rows hold into out[:rows], float64 [rows, TRANSFERRED]."""
        if rows:
            with current(self._device):
                self._write(
                    (reset, out.data_ptr() % ALIGNMENT == 0),
                    rows,
                    self.counts,
                    self._partials,
                    self._shifts,
                    self._tops,
                    self._axes,
                    self._logarithmic,
                    self._parts,
                    out,
                    reset,
                    PROGRAMS,
                )
        if reset:
            self._filled.difference_update(range(rows))

    def state(self, rows: int) -> Tensor:
        """See `Mergeable`."""
        read = self._transfer_rows(rows)
        self.read(rows, False, read)
        near = self._partials[:rows, NEAR.value].amin(1)
        far = (self.counts[:rows] != 0) * self._magnitudes
        none_left_out = torch.zeros_like(near)
        ends = torch.stack([near, far.amax(1).double(), none_left_out], 1)
        return torch.cat([read[:, :MOMENTS], ends], 1)

    def load_state(self, state: Tensor) -> None:
        """See `Mergeable`."""
        rows = len(state)
        partials = self._partials[:rows]
        partials[:] = 0.0
        partials[:, MINIMUM.value] = math.inf
        partials[:, MAXIMUM.value] = -math.inf
        partials[:, NEAR.value] = BINS
        # All in the first program's place, about the mean.
        first = partials[:, :, 0]
        self._shifts[:rows] = state[:, MomentColumn.MEAN]
        first[:, SQUARES.value] = state[:, MomentColumn.SQUARED_DEVIATIONS]
        first[:, ABSOLUTE.value] = state[:, MomentColumn.ABSOLUTE_SUM]
        first[:, NAN.value] = state[:, MomentColumn.NAN]
        first[:, POSITIVE_INF.value] = state[:, MomentColumn.POSITIVE_INF]
        first[:, NEGATIVE_INF.value] = state[:, MomentColumn.NEGATIVE_INF]
        first[:, OUTSIDE.value] = state[:, MomentColumn.OUTSIDE]
        first[:, MINIMUM.value] = state[:, MomentColumn.MINIMUM].nan_to_num(math.inf)
        first[:, MAXIMUM.value] = state[:, MomentColumn.MAXIMUM].nan_to_num(-math.inf)
        first[:, NEAR.value] = state[:, NEAREST]
        self._filled.update(range(rows))

    def _slots_of(self, programs: int) -> Tensor:
        """Slots for a launch of so many programs: one launch after the other uses the same."""
        needed = programs * SLOTS.value
        if not self._shared and len(self._slots) < needed:
            self._slots = torch.empty(needed, dtype=torch.int32, device=self._device)
        return self._slots

    def _transfer_rows(self, rows: int) -> Tensor:
        return torch.empty((rows, TRANSFERRED), dtype=torch.float64, device=self._device)

    @functools.cached_property
    def _magnitudes(self) -> Tensor:
        """How many bins each bin is from zero."""
        return (torch.arange(BINS, device=self._device) - ZERO).abs()


def _programs_at_a_time(device: torch.device) -> int:
    """Programs that run at once: two on each multiprocessor."""
    if device.type != "cuda":
        return PROGRAMS
    return 2 * int(torch.cuda.get_device_properties(device).multi_processor_count)
