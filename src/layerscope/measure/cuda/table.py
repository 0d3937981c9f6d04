"""Rows on a CUDA device, and the launches that fill and read them."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from layerscope.measure.bins import BINS, ZERO
from layerscope.measure.cuda.current import current
from layerscope.measure.cuda.job_list import JobList
from layerscope.measure.cuda.kernel import BLOCK, SHARE, WARPS, add_tensor, add_tensors
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

_KINDS = {
    torch.float32: tl.float32,
    torch.bfloat16: tl.bfloat16,
    torch.float16: tl.float16,
    torch.float64: tl.float64,
}

_ALIGNMENT = 16  # of addresses, in bytes, and of sizes: Triton then loads several elements at once


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
        self._intervals = torch.from_numpy(options.intervals).to(device)
        self._axes = torch.from_numpy(options.axes).to(device)
        self._logarithmic = torch.from_numpy(options.logarithmic).to(device, torch.int8)
        self._parts = torch.from_numpy(LOG2_PARTS).to(device)
        self._filled: set[int] = set()
        # Shared memory needs PTX: else the slots lie in global memory, and grow with the launches.
        self._shared = device.type == "cuda" and torch.version.hip is None
        self._slots = torch.empty(0, dtype=torch.int32, device=device)
        self._lists: dict[tuple[torch.dtype, bool], JobList] = {}

    def compile(self) -> None:
        """Compile the kernels now, for every kind; raises what Triton raises where it cannot."""
        if len(self.counts):
            for kind in _KINDS:
                self.add(0, torch.zeros(_ALIGNMENT, device=self._device, dtype=kind))
            self.read(1, True, self._transfer_rows(1))

    def add(self, row: int, tensor: Tensor) -> None:
        """Measure a floating-point tensor on the table's device into a row."""
        tensor = tensor.detach().contiguous()
        size = tensor.numel()
        if not size:
            return
        fresh = int(row not in self._filled)
        self._filled.add(row)
        with current(self._device):
            add_tensor[(_programs(size),)](
                tensor,
                size,
                row,
                fresh,
                self.counts,
                self._partials,
                self._intervals,
                self._shifts,
                self._slots_of(_programs(size)),
                BLOCK=BLOCK,
                PROGRAMS=PROGRAMS,
                SHARED=self._shared,
                num_warps=WARPS,
                enable_fp_fusion=True,
            )

    def add_all(self, tensors: Iterable[tuple[int, Tensor]]) -> None:
        """Measure many tensors: one launch for each kind of them that has rows of its own."""
        groups: dict[tuple[torch.dtype, bool], list[tuple[int, Tensor]]] = {}
        taken = set()
        for row, tensor in tensors:
            if row in taken or not tensor.is_contiguous():  # two in one launch would collide
                self.add(row, tensor)
            elif tensor.numel():
                aligned = tensor.data_ptr() % _ALIGNMENT == 0 == tensor.numel() % _ALIGNMENT
                groups.setdefault((tensor.dtype, aligned), []).append((row, tensor))
                taken.add(row)
        for kind, group in groups.items():
            self._add_group(*kind, group)

    def _add_group(
        self, dtype: torch.dtype, aligned: bool, group: Sequence[tuple[int, Tensor]]
    ) -> None:
        jobs, first = [], 0
        for row, tensor in group:
            sharers = _programs(tensor.numel())
            fresh = int(row not in self._filled)
            self._filled.add(row)
            jobs.append((tensor.data_ptr(), tensor.numel(), row, fresh, first, sharers))
            first += sharers
        sent = self._lists.setdefault((dtype, aligned), JobList(self._device)).send(jobs)
        with current(self._device):
            add_tensors[(first,)](
                sent,
                len(jobs),
                self.counts,
                self._partials,
                self._intervals,
                self._shifts,
                self._slots_of(first),
                KIND=_KINDS[dtype],
                ALIGNED=aligned,
                JOBS=triton.next_power_of_2(len(jobs)),
                BLOCK=BLOCK,
                PROGRAMS=PROGRAMS,
                SHARED=self._shared,
                num_warps=WARPS,
                enable_fp_fusion=True,
            )

    def read(self, rows: int, reset: bool, out: Tensor) -> None:
        """Write what the first rows hold into out[:rows], float64 [rows, TRANSFERRED]."""
        if rows:
            with current(self._device):
                write_transfer_rows[(rows,)](
                    self.counts,
                    self._partials,
                    self._shifts,
                    self._axes,
                    self._logarithmic,
                    self._parts,
                    out,
                    RESET=reset,
                    PROGRAMS=PROGRAMS,
                    num_warps=TRANSFER_WARPS,
                    enable_fp_fusion=False,  # buckets are those of the CPU, to the element
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


def _programs(size: int) -> int:
    return min(PROGRAMS, -(-size // SHARE))
