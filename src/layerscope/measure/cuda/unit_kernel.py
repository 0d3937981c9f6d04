"""The CUDA kernels for units: one launch merges a tensor, one reads all rows.

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
_REVIVED = tl.constexpr(int(UnitColumn.REVIVED))
_QUIET = tl.constexpr(int(UnitColumn.QUIET))
_SPREAD = tl.constexpr(int(UnitColumn.SPREAD))
_QUIET_SAMPLES = tl.constexpr(QUIET_SAMPLES)
_HEAD = tl.constexpr(3)  # of a row, int64: its block's address, its capacity, its units
_INF = tl.constexpr(float("inf"))
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
    kind = load(x, unit, unit < 0).dtype
    low = tl.load(intervals + 2 * row).to(kind)
    high = tl.load(intervals + 2 * row + 1).to(kind)
    least = tl.full([SAMPLES, UNITS], _INF, kind)
    most = tl.full([SAMPLES, UNITS], -_INF, kind)
    active = tl.zeros([SAMPLES, UNITS], tl.int32)
    for _ in range(tl.program_id(1), tl.cdiv(samples, SAMPLES), tl.num_programs(1)):
        at = (sample // inner * units)[:, None] + unit[None, :]
        at = at * inner + (sample % inner)[:, None]
        inside = (sample < samples)[:, None] & (unit < units)[None, :]
        value = load(x, at, inside)
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
def read_units(heads, intervals, counts, step, window, out, BLOCK: tl.constexpr):
    """Fill the values of the row that is the program's number; empty its step.

    Args:
        heads: int64 [rows, 3]: address of the block, capacity, units; 0 where there are none.
        intervals: float64 [rows, 2]; where it is all numbers, nothing is ever silent.
        counts: int64 [rows], samples in this step; set to 0.
        step: that is read.
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
        revived = tl.zeros([BLOCK], tl.int64)
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
            revived += (active & (before >= window)).to(tl.int64)
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
        tl.store(out + _REVIVED, tl.sum(revived).to(tl.float64))
        tl.store(out + _QUIET, tl.sum(quiet).to(tl.float64))
        tl.store(out + _SPREAD, spread)
    # Every warp reads for itself: one that found a 0 here would go the other way.
    tl.debug_barrier()
    tl.store(counts + row, 0)
