"""The CUDA kernels for units: one launch merges a tensor, one reads all rows.

Extremes are merged by atomic minima and maxima, activity by storing 1, and neither depends on an
order: the same tensors give the same figures, bit for bit.
"""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import triton
import triton.language as tl
from torch import Tensor

from layerscope.measure import unit_blocks, unit_reading
from layerscope.measure.cuda.kernel import _load
from layerscope.measure.cuda.table import _List
from layerscope.measure.unit_blocks import UnitBlocks
from layerscope.measure.unit_rows import UnitRows

ELEMENTS = 1024
"""Elements that a program takes at a time."""

WIDEST = 64
"""Features that a program takes side by side: two cache lines of float32."""

PROGRAMS = 512
"""Programs that share a tensor, unless it has more tiles of units than that."""

READ_BLOCK = 512
"""Units that a program reads at a time."""

_MINIMUM = tl.constexpr(unit_blocks.MINIMUM)
_MAXIMUM = tl.constexpr(unit_blocks.MAXIMUM)
_ACTIVE = tl.constexpr(unit_blocks.ACTIVE)
_SILENCE = tl.constexpr(unit_blocks.SILENCE)
_SINCE = tl.constexpr(unit_blocks.SINCE)
_COLUMNS = tl.constexpr(unit_reading.COLUMNS)
_UNITS = tl.constexpr(unit_reading.UNITS)
_SILENT = tl.constexpr(unit_reading.SILENT)
_DEAD = tl.constexpr(unit_reading.DEAD)
_SINCE_COLUMN = tl.constexpr(unit_reading.SINCE)
_REVIVED = tl.constexpr(unit_reading.REVIVED)
_SPREAD = tl.constexpr(unit_reading.SPREAD)
_HEAD = tl.constexpr(3)  # of a row, int64: its block's address, its capacity, its units
_INF = tl.constexpr(float("inf"))
_NAN = tl.constexpr(float("nan"))
_NEVER = tl.constexpr(1 << 62)


@triton.jit(do_not_specialize=["row", "samples"])
def add_units(
    x,
    samples,
    units,
    inner,
    row,
    extremes,
    counters,
    capacity,
    intervals,
    counts,
    SAMPLES: tl.constexpr,
    UNITS: tl.constexpr,
):
    """Merge contiguous [outer, units, inner] into a row's block.

    Args:
        x: float32, bfloat16, float16 or float64 [outer, units, inner].
        samples: outer * inner, at least 1.
        units: at least 1.
        inner: at least 1.
        row: of the table.
        extremes: the block, as float64.
        counters: the block, as int64.
        capacity: of the block.
        intervals: float64 [rows, 2], where a unit is active.
        counts: int64 [rows], samples in this step.
        SAMPLES: that a program takes at a time.
        UNITS: that a program takes, SAMPLES at a time.
    """
    row = tl.cast(row, tl.int64)
    if (tl.program_id(0) == 0) & (tl.program_id(1) == 0):
        tl.store(counts + row, tl.load(counts + row) + samples)
    unit = tl.program_id(0) * UNITS + tl.arange(0, UNITS)
    sample = tl.cast(tl.program_id(1), tl.int64) * SAMPLES + tl.arange(0, SAMPLES)
    kind = _load(x, unit, unit < 0).dtype
    low = tl.load(intervals + 2 * row).to(kind)
    high = tl.load(intervals + 2 * row + 1).to(kind)
    least = tl.full([SAMPLES, UNITS], _INF, kind)
    most = tl.full([SAMPLES, UNITS], -_INF, kind)
    active = tl.zeros([SAMPLES, UNITS], tl.int32)
    for _ in range(tl.program_id(1), tl.cdiv(samples, SAMPLES), tl.num_programs(1)):
        at = (sample // inner * units)[:, None] + unit[None, :]
        at = at * inner + (sample % inner)[:, None]
        inside = (sample < samples)[:, None] & (unit < units)[None, :]
        value = _load(x, at, inside)
        finite = inside & (tl.abs(value) < _INF)
        least = tl.minimum(least, tl.where(finite, value, _INF))
        most = tl.maximum(most, tl.where(finite, value, -_INF))
        active |= (finite & (value > low) & (value < high)).to(tl.int32)
        sample += SAMPLES * tl.num_programs(1)
    lowest, highest = tl.min(least, 0).to(tl.float64), tl.max(most, 0).to(tl.float64)
    some = (unit < units) & (lowest < _INF)
    # -0 becomes 0: Triton before 3.4 takes its bits, as an integer, for less than any.
    lowest, highest = tl.where(lowest == 0, 0.0, lowest), tl.where(highest == 0, 0.0, highest)
    tl.atomic_min(extremes + _MINIMUM * capacity + unit, lowest, mask=some, sem="relaxed")
    tl.atomic_max(extremes + _MAXIMUM * capacity + unit, highest, mask=some, sem="relaxed")
    one = tl.full([UNITS], 1, tl.int64)
    tl.store(counters + _ACTIVE * capacity + unit, one, mask=some & (tl.max(active, 0) > 0))


@triton.jit(do_not_specialize=["step", "window"])
def read_units(heads, intervals, counts, step, window, report, BLOCK: tl.constexpr):
    """Fill the report of the row that is the program's number; empty its step.

    Args:
        heads: int64 [rows, 3]: address of the block, capacity, units; 0 where there are none.
        intervals: float64 [rows, 2]; where it is all numbers, nothing is ever silent.
        counts: int64 [rows], samples in this step; set to 0.
        step: that is read.
        window: samples in a row on which a dead unit has not been active.
        report: float64 [rows, COLUMNS], filled; see `UnitReading`.
        BLOCK: units at a time.
    """
    row = tl.cast(tl.program_id(0), tl.int64)
    report += row * _COLUMNS
    samples = tl.load(counts + row)
    tl.store(counts + row, 0)
    if samples == 0:
        tl.store(report + _UNITS, 0.0)
        for column in tl.static_range(_UNITS + 1, _COLUMNS):
            tl.store(report + column, _NAN)
    else:
        block = tl.load(heads + row * _HEAD)
        capacity, units = tl.load(heads + row * _HEAD + 1), tl.load(heads + row * _HEAD + 2)
        extremes, counters = (
            block.to(tl.pointer_type(tl.float64)),
            block.to(tl.pointer_type(tl.int64)),
        )
        low, high = tl.load(intervals + 2 * row), tl.load(intervals + 2 * row + 1)
        immortal = tl.where((low == -_INF) & (high == _INF), 1, 0)
        silent = tl.zeros([BLOCK], tl.int64)
        dead = tl.zeros([BLOCK], tl.int64)
        revived = tl.zeros([BLOCK], tl.int64)
        since = tl.full([BLOCK], _NEVER, tl.int64)
        widest = tl.full([BLOCK], -_INF, tl.float64)
        largest = tl.full([BLOCK], -_INF, tl.float64)
        for start in range(0, units, BLOCK):
            unit = start + tl.arange(0, BLOCK)
            inside = unit < units
            least = tl.load(extremes + _MINIMUM * capacity + unit, mask=inside, other=_INF)
            most = tl.load(extremes + _MAXIMUM * capacity + unit, mask=inside, other=-_INF)
            widest = tl.maximum(widest, most - least)
            largest = tl.maximum(largest, tl.maximum(-least, most))
            flag = tl.load(counters + _ACTIVE * capacity + unit, mask=inside, other=1)
            before = tl.load(counters + _SILENCE * capacity + unit, mask=inside, other=0)
            began = tl.load(counters + _SINCE * capacity + unit, mask=inside, other=0)
            active = flag + immortal > 0
            began = tl.where(before == 0, step, began)
            silence = tl.where(active, 0, before + samples)
            is_dead = silence >= window
            silent += (~active).to(tl.int64)
            dead += is_dead.to(tl.int64)
            revived += (active & (before >= window)).to(tl.int64)
            since = tl.minimum(since, tl.where(is_dead, began, _NEVER))
            tl.store(extremes + _MINIMUM * capacity + unit, _INF, mask=inside)
            tl.store(extremes + _MAXIMUM * capacity + unit, -_INF, mask=inside)
            tl.store(counters + _ACTIVE * capacity + unit, 0, mask=inside)
            tl.store(counters + _SILENCE * capacity + unit, silence, mask=inside)
            tl.store(counters + _SINCE * capacity + unit, began, mask=inside)
        deaths = tl.sum(dead)
        longest = tl.where(deaths > 0, tl.min(since).to(tl.float64), _NAN)
        wide, large = tl.max(widest), tl.max(largest)
        spread = tl.where(large > 0, wide / tl.where(large > 0, large, 1.0), 0.0)
        spread = tl.where((samples > 1) & (wide >= 0), spread, _NAN)
        tl.store(report + _UNITS, units.to(tl.float64))
        tl.store(report + _SILENT, tl.sum(silent).to(tl.float64))
        tl.store(report + _DEAD, deaths.to(tl.float64))
        tl.store(report + _SINCE_COLUMN, longest)
        tl.store(report + _REVIVED, tl.sum(revived).to(tl.float64))
        tl.store(report + _SPREAD, spread)


class TritonUnits(UnitBlocks):
    """Blocks on a device; every method only enqueues, on the device's current stream.

    Args:
        rows: what each row is asked for.
        device: a CUDA device; the CPU under Triton's interpreter.
    """

    def __init__(self, rows: UnitRows, device: torch.device) -> None:
        super().__init__(rows.count, device)
        self._device = device
        self._intervals = torch.from_numpy(rows.active).to(device)
        self._heads = _List(device)
        self._views = [(block.view(torch.float64), block) for block in self.blocks]

    def compile(self) -> None:
        """Compile the kernels for float32 now; raises what Triton raises where it cannot."""
        if self.units:
            self.start(0, 1)
            self.add(0, torch.zeros((1, 1), device=self._device), 1, 1)
            shape = (len(self.units), unit_reading.COLUMNS)
            self.report(0, 1, torch.empty(shape, dtype=torch.float64, device=self._device))
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
        with self._current():
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

    def report(self, step: int, window: int, out: Tensor) -> None:
        """Fill out, float64 [rows, COLUMNS] of `UnitReading`; empty what belongs to the step."""
        if not self.units:
            return
        blocks = zip(self.blocks, self.units, strict=True)
        heads = [(block.data_ptr(), block.shape[1], units) for block, units in blocks]
        with self._current():
            read_units[(len(heads),)](
                self._heads.send(heads),
                self._intervals,
                self.samples,
                step,
                window,
                out,
                BLOCK=READ_BLOCK,
            )

    def _current(self) -> AbstractContextManager[object]:
        """Triton launches on the current device, which in a backward pass may be another."""
        return torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext()
