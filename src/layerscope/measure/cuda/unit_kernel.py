"""The CUDA kernels for units: one launch merges all tensors of a list, one reads all rows.

Extremes are merged by atomic minima and maxima, activity by storing 1, and neither depends on an
order: the same tensors give the same figures, bit for bit.
"""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from layerscope.measure import unit_blocks
from layerscope.measure.cuda.elements import load
from layerscope.measure.cuda.job_list import job_of
from layerscope.measure.unit_reading import QUIET_SAMPLES, UNIT_COLUMNS, UnitColumn

_MINIMUM = tl.constexpr(unit_blocks.MINIMUM)
_MAXIMUM = tl.constexpr(unit_blocks.MAXIMUM)
_ACTIVE = tl.constexpr(unit_blocks.ACTIVE)
_SILENCE = tl.constexpr(unit_blocks.SILENCE)
_SINCE = tl.constexpr(unit_blocks.SINCE)
_COLUMNS = tl.constexpr(UNIT_COLUMNS)
_UNITS = tl.constexpr(int(UnitColumn.UNITS))
_SILENT = tl.constexpr(int(UnitColumn.SILENT))
_DEAD = tl.constexpr(int(UnitColumn.DEAD))
_SINCE_COLUMN = tl.constexpr(int(UnitColumn.SINCE))
_QUIET = tl.constexpr(int(UnitColumn.QUIET))
_SPREAD = tl.constexpr(int(UnitColumn.SPREAD))
_QUIET_SAMPLES = tl.constexpr(QUIET_SAMPLES)
_HEAD = tl.constexpr(3)  # of a row, int64: its block's address, its capacity, its units
_INF = tl.constexpr(float("inf"))
_NEVER = tl.constexpr(1 << 62)


# A tensor of a list: int64 [JOB_FIELDS]; it is contiguous, [outer, units, inner].
POINTER = tl.constexpr(0)
OUTER = tl.constexpr(1)
UNITS = tl.constexpr(2)
INNER = tl.constexpr(3)
ROW = tl.constexpr(4)
ADDRESS = tl.constexpr(5)  # of the row's block
CAPACITY = tl.constexpr(6)  # of the row's block
FIRST = tl.constexpr(7)  # of its programs
TILES = tl.constexpr(8)  # of units
SHARERS = tl.constexpr(9)  # of a tile, programs
JOB_FIELDS = tl.constexpr(10)


@triton.jit(do_not_specialize=["tensors"])
def add_units(
    jobs,
    tensors,
    intervals,
    counts,
    KIND: tl.constexpr,
    COMPARED_AS: tl.constexpr,
    ALIGNED: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    FEATURES: tl.constexpr,
):
    """Merge many contiguous tensors of one kind, each into the block of its own row.

    Args:
        jobs: int64 [tensors, JOB_FIELDS]; FIRST ascends from 0; a tensor has at least one element.
            Of features a tile is COLUMNS units, of channels it is one.
        intervals: float64 [rows, 2], where a unit is active.
        counts: int64 [rows], samples in this step.
        KIND: the tensors' dtype: float32, bfloat16, float16 or float64.
        COMPARED_AS: float64 of that kind, else float32.
        ALIGNED: whether every address, and every number of neighbours, is a multiple of 16.
        ROWS: of the outer axis, that a program takes at a time.
        COLUMNS: neighbours that it takes of each: units of features, elements of one channel.
        FEATURES: whether inner is 1.
    """
    program = tl.program_id(0)
    job = jobs + job_of(program, jobs, tensors, JOB_FIELDS, FIRST) * JOB_FIELDS
    x = tl.load(job + POINTER).to(tl.pointer_type(KIND))
    outer, units, inner = tl.load(job + OUTER), tl.load(job + UNITS), tl.load(job + INNER)
    if ALIGNED:
        x = tl.multiple_of(x, 16)
    row, capacity = tl.load(job + ROW), tl.load(job + CAPACITY)
    block = tl.load(job + ADDRESS)
    extremes = block.to(tl.pointer_type(tl.float64))
    counters = block.to(tl.pointer_type(tl.int64))
    share = program - tl.load(job + FIRST)
    tiles, sharers = tl.load(job + TILES), tl.load(job + SHARERS)
    tile, share = share % tiles, share // tiles
    if (tile == 0) & (share == 0):
        tl.store(counts + row, tl.load(counts + row) + outer * inner)
    low = tl.load(intervals + 2 * row).to(COMPARED_AS)
    high = tl.load(intervals + 2 * row + 1).to(COMPARED_AS)
    column = tl.arange(0, COLUMNS)[None, :]
    line = tl.arange(0, ROWS)[:, None]
    if FEATURES:
        x += tile * COLUMNS
        width = units - tile * COLUMNS
        stride = units
    else:
        x += tile * inner
        width = inner
        stride = units * inner
    if ALIGNED:
        width, stride = tl.multiple_of(width, 16), tl.multiple_of(stride, 16)
    # What extremes tell of a unit is found with three operations an element; only where they leave
    # it open, or where a value is infinite, are the elements looked at one by one.
    least = tl.full([ROWS, COLUMNS], _INF, COMPARED_AS)
    most = tl.full([ROWS, COLUMNS], -_INF, COMPARED_AS)
    nearest = tl.full([ROWS, COLUMNS], _INF, COMPARED_AS)
    for first in range(share * ROWS, outer, sharers * ROWS):
        lines = x + (first + line) * stride
        for start in range(0, COLUMNS if FEATURES else width, COLUMNS):
            inside = (line < outer - first) & (column < width - start)
            value = load(lines, start + column, inside, float("nan"))  # which no extreme ever is
            least = tl.minimum(least, value)
            most = tl.maximum(most, value)
            nearest = tl.minimum(nearest, tl.abs(value))
    lowest, highest = tl.min(least, 0, keep_dims=True), tl.max(most, 0, keep_dims=True)
    smallest = tl.min(nearest, 0, keep_dims=True)
    if not FEATURES:
        lowest, highest = tl.min(lowest, 1, keep_dims=True), tl.max(highest, 1, keep_dims=True)
        smallest = tl.min(smallest, 1, keep_dims=True)
    # About zero the smallest value tells; of others, values on both sides leave it open.
    within, beyond = tl.where(low == -high, high, -_INF), tl.where(low == -high, _INF, high)
    active = (smallest < within) | (lowest > low) & (lowest < high)
    active |= (highest > low) & (highest < high)
    is_open = (lowest <= low) & (highest >= beyond)
    if tl.max((is_open | (lowest == -_INF) | (highest == _INF)).to(tl.int32)) > 0:
        least = tl.full([ROWS, COLUMNS], _INF, COMPARED_AS)
        most = tl.full([ROWS, COLUMNS], -_INF, COMPARED_AS)
        some_active = tl.zeros([ROWS, COLUMNS], tl.int32)
        for first in range(share * ROWS, outer, sharers * ROWS):
            lines = x + (first + line) * stride
            for start in range(0, COLUMNS if FEATURES else width, COLUMNS):
                inside = (line < outer - first) & (column < width - start)
                value = load(lines, start + column, inside)
                finite = inside & (tl.abs(value) < _INF)
                least = tl.minimum(least, tl.where(finite, value, _INF))
                most = tl.maximum(most, tl.where(finite, value, -_INF))
                some_active |= (finite & (value > low) & (value < high)).to(tl.int32)
        lowest, highest = tl.min(least, 0, keep_dims=True), tl.max(most, 0, keep_dims=True)
        active = tl.max(some_active, 0, keep_dims=True) > 0
        if not FEATURES:
            lowest, highest = tl.min(lowest, 1, keep_dims=True), tl.max(highest, 1, keep_dims=True)
            active = tl.max(active.to(tl.int32), 1, keep_dims=True) > 0
    unit = tl.arange(0, COLUMNS if FEATURES else 1)[None, :] + (
        tile * COLUMNS if FEATURES else tile
    )
    some = (unit < units) & (lowest < _INF)
    # -0 becomes 0: Triton before 3.4 takes its bits, as an integer, for less than any.
    lowest = tl.where(lowest == 0, 0.0, lowest).to(tl.float64)
    highest = tl.where(highest == 0, 0.0, highest).to(tl.float64)
    tl.atomic_min(extremes + _MINIMUM * capacity + unit, lowest, mask=some, sem="relaxed")
    tl.atomic_max(extremes + _MAXIMUM * capacity + unit, highest, mask=some, sem="relaxed")
    one = tl.full(unit.shape, 1, tl.int64)
    tl.store(counters + _ACTIVE * capacity + unit, one, mask=some & active)


@triton.jit(do_not_specialize=["step", "window"])
def read_units(heads, intervals, counts, step, window, out, BLOCK: tl.constexpr):
    """Fill the values of the row that is the program's number; empty its step.

    Args:
        heads: int64 [rows, 3]: address of the block, capacity, units; 0 where there are none.
        intervals: float64 [rows, 2]; where it is all numbers, nothing is ever silent.
        counts: int64 [rows], samples in this step; set to 0.
        window: samples in a row on which a dead unit has not been active.
        out: float64 [rows, UNIT_COLUMNS], filled; see `UnitReading`.
        BLOCK: units at a time.
    """
    row = tl.cast(tl.program_id(0), tl.int64)
    out += row * _COLUMNS
    samples = tl.load(counts + row)
    if samples == 0:
        tl.store(out + _UNITS, 0.0)
        for column in tl.static_range(_UNITS + 1, _COLUMNS):
            tl.store(out + column, float("nan"))
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
        quiet = tl.zeros([BLOCK], tl.int64)
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
            quiet += (silence >= _QUIET_SAMPLES).to(tl.int64)
            since = tl.minimum(since, tl.where(is_dead, began, _NEVER))
            tl.store(extremes + _MINIMUM * capacity + unit, _INF, mask=inside)
            tl.store(extremes + _MAXIMUM * capacity + unit, -_INF, mask=inside)
            tl.store(counters + _ACTIVE * capacity + unit, 0, mask=inside)
            tl.store(counters + _SILENCE * capacity + unit, silence, mask=inside)
            tl.store(counters + _SINCE * capacity + unit, began, mask=inside)
        deaths = tl.sum(dead)
        longest = tl.where(deaths > 0, tl.min(since).to(tl.float64), float("nan"))
        wide, large = tl.max(widest), tl.max(largest)
        spread = tl.where(large > 0, wide / tl.where(large > 0, large, 1.0), 0.0)
        spread = tl.where((samples > 1) & (wide >= 0), spread, float("nan"))
        tl.store(out + _UNITS, units.to(tl.float64))
        tl.store(out + _SILENT, tl.sum(silent).to(tl.float64))
        tl.store(out + _DEAD, deaths.to(tl.float64))
        tl.store(out + _SINCE_COLUMN, longest)
        tl.store(out + _QUIET, tl.sum(quiet).to(tl.float64))
        tl.store(out + _SPREAD, spread)
    # Every warp reads for itself: one that found a 0 here would go the other way.
    tl.debug_barrier()
    tl.store(counts + row, 0)
