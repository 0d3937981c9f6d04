"""Rows on a CUDA device, and the launches that fill and read them."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
import triton
import triton.language as tl
from torch import Tensor

from layerscope.measure.bins import BINS, ZERO
from layerscope.measure.cuda.kernel import (
    ABSOLUTE,
    BLOCK,
    MAXIMUM,
    MINIMUM,
    NAN,
    NEAR,
    OUTSIDE,
    PARTIALS,
    PROGRAMS,
    SQUARES,
    WARPS,
    add_tensor,
    add_tensors,
)
from layerscope.measure.cuda.transfer_rows import WARPS as REPORT_WARPS
from layerscope.measure.cuda.transfer_rows import report_rows
from layerscope.measure.log_axis import LOG2_PARTS
from layerscope.measure.merged_figures import NEAREST
from layerscope.measure.reading import MOMENTS
from layerscope.measure.rows import Rows
from layerscope.measure.transfer_row import COLUMNS

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
        rows: what each row is asked for.
        device: a CUDA device; the CPU under Triton's interpreter.

    Attributes:
        counts: int64 [rows, BINS].
    """

    def __init__(self, rows: Rows, device: torch.device) -> None:
        partials = torch.zeros((rows.count, PARTIALS.value, PROGRAMS), dtype=torch.float64)
        partials[:, MINIMUM.value] = math.inf
        partials[:, MAXIMUM.value] = -math.inf
        partials[:, NEAR.value] = BINS
        self.counts = torch.zeros((rows.count, BINS), dtype=torch.int64, device=device)
        self._device = device
        self._partials = partials.to(device)
        self._shifts = torch.zeros(rows.count, dtype=torch.float64, device=device)
        self._intervals = torch.from_numpy(rows.intervals).to(device)
        self._axes = torch.from_numpy(rows.axes).to(device)
        self._logarithmic = torch.from_numpy(rows.logarithmic).to(device, torch.int8)
        self._parts = torch.from_numpy(LOG2_PARTS).to(device)
        self._filled: set[int] = set()
        self._lists: dict[tuple[torch.dtype, bool], _List] = {}

    def compile(self) -> None:
        """Compile the kernels for float32 now; raises what Triton raises where it cannot."""
        if len(self.counts):
            self.add(0, torch.zeros(_ALIGNMENT, device=self._device))
            self.report(
                1, True, torch.empty((1, COLUMNS), dtype=torch.float64, device=self._device)
            )

    def add(self, row: int, tensor: Tensor) -> None:
        """Measure a floating-point tensor on the table's device into a row."""
        tensor = tensor.detach().contiguous()
        size = tensor.numel()
        if not size:
            return
        fresh = int(row not in self._filled)
        self._filled.add(row)
        with self._current():
            add_tensor[(_programs(size),)](
                tensor,
                size,
                row,
                fresh,
                self.counts,
                self._partials,
                self._intervals,
                self._shifts,
                BLOCK=BLOCK,
                PROGRAMS=PROGRAMS,
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
        sent = self._lists.setdefault((dtype, aligned), _List(self._device)).send(jobs)
        with self._current():
            add_tensors[(first,)](
                sent,
                len(jobs),
                self.counts,
                self._partials,
                self._intervals,
                self._shifts,
                KIND=_KINDS[dtype],
                ALIGNED=aligned,
                JOBS=triton.next_power_of_2(len(jobs)),
                BLOCK=BLOCK,
                PROGRAMS=PROGRAMS,
                num_warps=WARPS,
                enable_fp_fusion=True,
            )

    def report(self, rows: int, reset: bool, out: Tensor) -> None:
        """Write what the first rows hold into out[:rows], float64 [rows, transfer_row.COLUMNS]."""
        if rows:
            with self._current():
                report_rows[(rows,)](
                    self.counts,
                    self._partials,
                    self._shifts,
                    self._axes,
                    self._logarithmic,
                    self._parts,
                    out,
                    RESET=reset,
                    PROGRAMS=PROGRAMS,
                    num_warps=REPORT_WARPS,
                    enable_fp_fusion=False,  # buckets are those of the CPU, to the element
                )
        if reset:
            self._filled.difference_update(range(rows))

    def figures(self, rows: int) -> Tensor:
        """The first rows' figures, float64 [rows, merged_figures.FIGURES]."""
        report = torch.empty((rows, COLUMNS), dtype=torch.float64, device=self._device)
        self.report(rows, False, report)
        near = self._partials[:rows, NEAR.value].amin(1)
        far = (self.counts[:rows] != 0) * self._magnitudes
        none_left_out = torch.zeros_like(near)
        ends = torch.stack([near, far.amax(1).double(), none_left_out], 1)
        return torch.cat([report[:, :MOMENTS], ends], 1)

    def put(self, rows: int, figures: Tensor) -> None:
        """Set the first rows' figures; the counts stay."""
        partials = self._partials[:rows]
        partials[:] = 0.0
        partials[:, MINIMUM.value] = math.inf
        partials[:, MAXIMUM.value] = -math.inf
        partials[:, NEAR.value] = BINS
        # All in the first program's place, about the mean.
        self._shifts[:rows] = figures[:, 6]
        partials[:, SQUARES.value, 0] = figures[:, 7]
        partials[:, ABSOLUTE.value, 0] = figures[:, 8]
        partials[:, NAN.value : OUTSIDE.value + 1, 0] = figures[:, 2:6]
        partials[:, MINIMUM.value, 0] = figures[:, 9].nan_to_num(math.inf)
        partials[:, MAXIMUM.value, 0] = figures[:, 10].nan_to_num(-math.inf)
        partials[:, NEAR.value, 0] = figures[:, NEAREST]
        self._filled.update(range(rows))

    @functools.cached_property
    def _magnitudes(self) -> Tensor:
        """How many bins each bin is from zero."""
        return (torch.arange(BINS, device=self._device) - ZERO).abs()

    def _current(self) -> AbstractContextManager[object]:
        """Triton launches on the current device, which in a backward pass may be another."""
        return torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext()


class _List:
    """The jobs of a list of tensors on the device; sent again only when they have changed."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._jobs: Sequence[tuple[int, ...]] = ()
        self._sent = torch.empty(0)

    def send(self, jobs: Sequence[tuple[int, ...]]) -> Tensor:
        """int64 [tensors, JOB_FIELDS] on the device."""
        if jobs != self._jobs:
            on_host = torch.tensor(jobs, dtype=torch.int64)
            if self._device.type == "cuda":
                on_host = on_host.pin_memory()  # from torch's cache, which waits for the copy
            self._sent = on_host.to(self._device, non_blocking=True)  # host to device
            self._jobs = jobs
        return self._sent


def _programs(size: int) -> int:
    return min(PROGRAMS, -(-size // BLOCK))
