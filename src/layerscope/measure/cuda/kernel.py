"""The CUDA kernels that count: one launch measures a tensor, or all tensors of a list.

Every program counts its share in slots of its own (`slots`) and adds them to the int64 bins at
its end; the few values outside that window are found by a second pass and go to the bins directly.
Where the window lies changes the speed, never a count. A slot of bfloat16 holds one value, so sums
and extremes come from the counts: nothing but counting is done for each element. Sums, extremes and
tallies go into the program's own place and are added up, in one order, when they are read: no float
is added atomically, so the same tensors give the same sums, bit for bit.

Sums are float64 around a shift: exact enough for a mean of 1e4 with a std of 1, and squares of
float32 stay finite. GPUs with few float64 units are slower for it.
"""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from layerscope.measure.cuda.bins import BINS, ZERO, magnitude_of
from layerscope.measure.cuda.elements import load
from layerscope.measure.cuda.job_list import FIRST, FRESH, JOB_FIELDS, POINTER, ROW, SHARERS, SIZE
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
    SQUARES,
    SUM,
)
from layerscope.measure.cuda.slots import (
    ELSEWHERE,
    NOWHERE,
    SLOTS,
    bfloat16_at,
    bin_at,
    count_slot,
    counted,
    empty_slots,
    magnitude_at,
    slot_of,
    window_below,
)

BLOCK = 2048
"""Elements that a program takes at a time."""

SHARE = 32_768
"""Elements that a program has at least, where there are so many: emptying its slots takes time."""

WARPS = 8

_INF = tl.constexpr(float("inf"))


@triton.jit
def _number(which):
    return tl.sum(which.to(tl.int32), 1)


@triton.jit
def _extremes(minimum, maximum, value, which):
    least = tl.min(tl.where(which, value, _INF), 1)
    most = tl.max(tl.where(which, value, -_INF), 1)
    return tl.minimum(minimum, least), tl.maximum(maximum, most)


@triton.jit
def _sums(value, which, shift):
    """Of offsets from the shift, of their squares, and of absolute values."""
    wide = tl.where(which, value.to(tl.float64), shift)
    offset = wide - shift
    absolute = tl.where(which, tl.abs(wide), 0.0)
    return tl.sum(offset, 1), tl.sum(offset * offset, 1), tl.sum(absolute, 1)


@triton.jit
def _add(place, value):
    tl.store(place, tl.load(place) + value)


@triton.jit
def _measure(
    x,
    size,
    row,
    fresh,
    program,
    sharers,
    counts,
    partials,
    intervals,
    shifts,
    slots,
    BLOCK: tl.constexpr,
    PROGRAMS: tl.constexpr,
    SHARED: tl.constexpr,
):
    """One program's share of a tensor: every `sharers`-th block."""
    row = tl.cast(row, tl.int64)
    # A thread adds up the 16 bytes that it loads: sums of each would fill its registers.
    EACH: tl.constexpr = 128 // x.dtype.element_ty.primitive_bitwidth  # noqa: N806
    lane = tl.arange(0, BLOCK // EACH)[:, None] * EACH + tl.arange(0, EACH)[None, :]
    counts += row * BINS
    empty_slots(slots, BLOCK, SHARED)

    head = load(x, lane, lane < size)
    finite = (lane < size) & (tl.abs(head) < _INF)
    if fresh != 0:  # the same in every program, which all read the same block
        first = tl.min(tl.where(finite, lane, BLOCK))
        shift = tl.sum(tl.where(lane == first, head, 0.0).to(tl.float64))
        if program == 0:
            tl.store(shifts + row, shift)
    else:
        shift = tl.load(shifts + row)
    below = window_below(head, finite & (head != 0))
    low = tl.load(intervals + 2 * row).to(head.dtype)
    high = tl.load(intervals + 2 * row + 1).to(head.dtype)
    total = tl.zeros([BLOCK // EACH], tl.float64)
    squares = tl.zeros([BLOCK // EACH], tl.float64)
    absolute = tl.zeros([BLOCK // EACH], tl.float64)
    minimum = tl.full([BLOCK // EACH], _INF, head.dtype)
    maximum = tl.full([BLOCK // EACH], -_INF, head.dtype)
    near = tl.full([BLOCK // EACH], BINS, tl.int32)
    nans = tl.zeros([BLOCK // EACH], tl.int32)
    positives = tl.zeros([BLOCK // EACH], tl.int32)
    negatives = tl.zeros([BLOCK // EACH], tl.int32)
    outside = tl.zeros([BLOCK // EACH], tl.int32)
    tl.debug_barrier()  # the slots are empty
    # Counting may write anywhere, for all that the compiler knows: it moves no load before it. So
    # the elements of two rounds are fetched ahead.
    stride = sharers * BLOCK
    at = tl.cast(program, tl.int64) * BLOCK + lane
    value = load(x, at, at < size)
    following = load(x, at + stride, at + stride < size)
    for _ in range(tl.cast(program, tl.int64) * BLOCK, size, stride):
        ahead = load(x, at + 2 * stride, at + 2 * stride < size)
        inside = at < size
        slot = tl.where(inside, slot_of(value, below), NOWHERE)
        count_slot(slots, slot, SHARED)
        if x.dtype.element_ty != tl.bfloat16:  # of which a slot knows the value
            within = inside & (slot != ELSEWHERE)
            outside += _number(within & ((value < low) | (value > high)))
            minimum, maximum = _extremes(minimum, maximum, value, within)
            offsets, of_squares, magnitudes = _sums(value, within, shift)
            total += offsets
            squares += of_squares
            absolute += magnitudes
        at += stride
        value, following = following, ahead

    tl.debug_barrier()  # all has been counted
    if counted(slots, ELSEWHERE, SHARED) > 0:  # seldom: once more, for what is in no slot
        one = tl.full([BLOCK // EACH, EACH], 1, tl.int64)
        for start in range(tl.cast(program, tl.int64) * BLOCK, size, sharers * BLOCK):
            at = start + lane
            value = load(x, at, at < size)
            left = (at < size) & (slot_of(value, below) == ELSEWHERE)
            finite = left & (tl.abs(value) < _INF)
            magnitude = magnitude_of(value)
            bins = tl.where(value > 0, ZERO + magnitude, ZERO - magnitude)
            tl.atomic_add(counts + bins, one, mask=finite, sem="relaxed")
            nans += _number(left & (value != value))
            positives += _number(left & (value == _INF))
            negatives += _number(left & (value == -_INF))
            outside += _number(left & ((value < low) | (value > high)))
            near = tl.minimum(near, tl.min(tl.where(finite, magnitude, BINS), 1))
            minimum, maximum = _extremes(minimum, maximum, value, finite)
            offsets, of_squares, magnitudes = _sums(value, finite, shift)
            total += offsets
            squares += of_squares
            absolute += magnitudes

    for start in range(0, SLOTS, BLOCK):
        slot = start + lane
        count = counted(slots, slot, SHARED)
        some = (count > 0) & (slot != ELSEWHERE) & (slot != NOWHERE)
        tl.atomic_add(counts + bin_at(slot, below), count.to(tl.int64), mask=some, sem="relaxed")
        magnitude = tl.where(some & (slot > 0), magnitude_at(slot, below), BINS)
        near = tl.minimum(near, tl.min(magnitude, 1))
        if x.dtype.element_ty == tl.bfloat16:
            value = bfloat16_at(slot, below)
            outside += tl.sum(tl.where(some & ((value < low) | (value > high)), count, 0), 1)
            minimum, maximum = _extremes(minimum, maximum, value, some)
            times = tl.where(some, count, 0).to(tl.float64)
            wide = tl.where(some, value.to(tl.float64), shift)
            total += tl.sum(times * (wide - shift), 1)
            squares += tl.sum(times * ((wide - shift) * (wide - shift)), 1)
            absolute += tl.sum(times * tl.abs(wide), 1)

    place = partials + row * PARTIALS * PROGRAMS + program
    _add(place + SUM * PROGRAMS, tl.sum(total))
    _add(place + SQUARES * PROGRAMS, tl.sum(squares))
    _add(place + ABSOLUTE * PROGRAMS, tl.sum(absolute))
    _add(place + NAN * PROGRAMS, tl.sum(nans))
    _add(place + POSITIVE_INF * PROGRAMS, tl.sum(positives))
    _add(place + NEGATIVE_INF * PROGRAMS, tl.sum(negatives))
    _add(place + OUTSIDE * PROGRAMS, tl.sum(outside))
    least = place + MINIMUM * PROGRAMS
    tl.store(least, tl.minimum(tl.load(least), tl.min(minimum).to(tl.float64)))
    most = place + MAXIMUM * PROGRAMS
    tl.store(most, tl.maximum(tl.load(most), tl.max(maximum).to(tl.float64)))
    nearest = place + NEAR * PROGRAMS
    tl.store(nearest, tl.minimum(tl.load(nearest), tl.min(near).to(tl.float64)))


@triton.jit(do_not_specialize=["row", "fresh"])
def add_tensor(
    x,
    size,
    row,
    fresh,
    counts,
    partials,
    intervals,
    shifts,
    slots,
    BLOCK: tl.constexpr,
    PROGRAMS: tl.constexpr,
    SHARED: tl.constexpr,
):
    """Add `size` contiguous elements to a row, by at most PROGRAMS programs.

    Args:
        x: float32, bfloat16, float16 or float64 [size].
        size: elements, at least 1.
        fresh: 1 if the row is empty: its shift is then taken from this tensor.
        counts: int64 [rows, BINS].
        partials: float64 [rows, PARTIALS, PROGRAMS].
        intervals: float64 [rows, 2]; values outside are counted.
        shifts: float64 [rows].
        slots: see `slots.empty_slots`, and SHARED.
        BLOCK: of this module.
        PROGRAMS: of `partials`.
    """
    program, sharers = tl.program_id(0), tl.num_programs(0)
    _measure(
        x, size, row, fresh, program, sharers, counts, partials, intervals, shifts, slots,
        BLOCK, PROGRAMS, SHARED,
    )  # fmt: skip


@triton.jit(do_not_specialize=["tensors"])
def add_tensors(
    jobs,
    tensors,
    counts,
    partials,
    intervals,
    shifts,
    slots,
    KIND: tl.constexpr,
    ALIGNED: tl.constexpr,
    JOBS: tl.constexpr,
    BLOCK: tl.constexpr,
    PROGRAMS: tl.constexpr,
    SHARED: tl.constexpr,
):
    """Add many contiguous tensors of one kind, each to its own row.

    Args:
        jobs: int64 [tensors, JOB_FIELDS]; FIRST ascends from 0.
        KIND: their dtype.
        ALIGNED: whether every address and size is a multiple of 16.
        JOBS: a power of two, `tensors` or more.
        counts: as in `add_tensor`, and so are the others.
    """
    program = tl.program_id(0)
    lane = tl.arange(0, JOBS)
    first = tl.load(jobs + lane * JOB_FIELDS + FIRST, mask=lane < tensors, other=1 << 40)
    job = jobs + (tl.sum((first <= program).to(tl.int32)) - 1) * JOB_FIELDS
    x = tl.load(job + POINTER).to(tl.pointer_type(KIND))
    size = tl.load(job + SIZE)
    if ALIGNED:
        x, size = tl.multiple_of(x, 16), tl.multiple_of(size, 16)
    row, fresh = tl.load(job + ROW), tl.load(job + FRESH)
    share, sharers = program - tl.load(job + FIRST), tl.load(job + SHARERS)
    _measure(
        x, size, row, fresh, share, sharers, counts, partials, intervals, shifts, slots,
        BLOCK, PROGRAMS, SHARED,
    )  # fmt: skip
