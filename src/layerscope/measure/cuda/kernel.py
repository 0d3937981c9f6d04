"""The CUDA kernels that count: one launch measures a tensor, or all tensors of a list.

Every element is one atomic addition to an int64 bin, but for those that would queue at one
address: zeros, and the two highest and two lowest bins of the tensor's first block, where a bounded
activation piles up, are counted in registers. Which bins these are changes the speed, never a
count. Sums, extremes and tallies go into the program's own place and are added up, in one order, by
the report: no float is added atomically, so the same tensors give the same figures, bit for bit.

Sums are float64 around a shift: exact enough for a mean of 1e4 with a std of 1, and squares of
float32 stay finite. GPUs with few float64 units are slower for it.
"""

# Kernels have no Python types. Triton writes compile-time arguments in capitals, and compiles what
# follows a `return` without an `else` too.
# ruff: noqa: N803, RET505
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from layerscope.measure.cuda.bins import BINS, ZERO, magnitude_of

BLOCK = 512
"""Elements that a program takes at a time."""

PROGRAMS = 512
"""Programs that share a tensor at most: some four a multiprocessor, and as many partial sums."""

WARPS = 4

# A program's place in `partials`, float64 [rows, PARTIALS, PROGRAMS]; tallies are whole numbers.
SUM = tl.constexpr(0)
SQUARES = tl.constexpr(1)
ABSOLUTE = tl.constexpr(2)
MINIMUM = tl.constexpr(3)
MAXIMUM = tl.constexpr(4)
NAN = tl.constexpr(5)
POSITIVE_INF = tl.constexpr(6)
NEGATIVE_INF = tl.constexpr(7)
OUTSIDE = tl.constexpr(8)
NEAR = tl.constexpr(9)
PARTIALS = tl.constexpr(10)

# A tensor of a list: int64 [JOB_FIELDS].
POINTER = tl.constexpr(0)
SIZE = tl.constexpr(1)
ROW = tl.constexpr(2)
FRESH = tl.constexpr(3)
FIRST = tl.constexpr(4)  # of its programs
SHARERS = tl.constexpr(5)  # how many programs it has
JOB_FIELDS = tl.constexpr(6)

_INF = tl.constexpr(float("inf"))


@triton.jit
def _load(x, at, inside):
    value = tl.load(x + at, mask=inside, other=0.0)
    if value.dtype == tl.float64:
        return value
    else:
        return value.to(tl.float32)


@triton.jit
def _bin_of(value):
    magnitude = magnitude_of(value)
    return tl.where(value > 0, ZERO + magnitude, ZERO - magnitude)


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
    BLOCK: tl.constexpr,
    PROGRAMS: tl.constexpr,
):
    """One program's share of a tensor: every `sharers`-th block."""
    row = tl.cast(row, tl.int64)
    lane = tl.arange(0, BLOCK)
    counts += row * BINS

    head = _load(x, lane, lane < size)
    finite = (lane < size) & (tl.abs(head) < _INF)
    if fresh != 0:  # the same in every program, which all read the same block
        first = tl.min(tl.where(finite, lane, BLOCK))
        shift = tl.sum(tl.where(lane == first, head, 0.0).to(tl.float64))
        if program == 0:
            tl.store(shifts + row, shift)
    else:
        shift = tl.load(shifts + row)
    present = finite & (head != 0)
    bins = _bin_of(head)
    top = tl.max(tl.where(present, bins, -1))
    bottom = tl.min(tl.where(present, bins, BINS))
    under_top = top - 1
    over_bottom = tl.where(bottom + 1 < under_top, bottom + 1, -1)
    bottom = tl.where(bottom < under_top, bottom, -1)

    low = tl.load(intervals + 2 * row).to(head.dtype)
    high = tl.load(intervals + 2 * row + 1).to(head.dtype)
    one = tl.full([BLOCK], 1, tl.int64)
    total = tl.zeros([BLOCK], tl.float64)
    squares = tl.zeros([BLOCK], tl.float64)
    absolute = tl.zeros([BLOCK], tl.float64)
    minimum = tl.full([BLOCK], _INF, head.dtype)
    maximum = tl.full([BLOCK], -_INF, head.dtype)
    near = tl.full([BLOCK], BINS, tl.int32)
    zeros = tl.zeros([BLOCK], tl.int32)
    tops = tl.zeros([BLOCK], tl.int32)
    under_tops = tl.zeros([BLOCK], tl.int32)
    bottoms = tl.zeros([BLOCK], tl.int32)
    over_bottoms = tl.zeros([BLOCK], tl.int32)
    nans = tl.zeros([BLOCK], tl.int32)
    positives = tl.zeros([BLOCK], tl.int32)
    negatives = tl.zeros([BLOCK], tl.int32)
    outside = tl.zeros([BLOCK], tl.int32)
    for start in range(tl.cast(program, tl.int64) * BLOCK, size, sharers * BLOCK):
        at = start + lane
        inside = at < size
        value = _load(x, at, inside)
        finite = inside & (tl.abs(value) < _INF)
        present = finite & (value != 0)
        bins = _bin_of(value)
        zeros += (inside & (value == 0)).to(tl.int32)
        tops += (present & (bins == top)).to(tl.int32)
        under_tops += (present & (bins == under_top)).to(tl.int32)
        bottoms += (present & (bins == bottom)).to(tl.int32)
        over_bottoms += (present & (bins == over_bottom)).to(tl.int32)
        crowded = (bins == top) | (bins == under_top) | (bins == bottom) | (bins == over_bottom)
        tl.atomic_add(counts + bins, one, mask=present & ~crowded, sem="relaxed")

        nans += (inside & (value != value)).to(tl.int32)
        positives += (inside & (value == _INF)).to(tl.int32)
        negatives += (inside & (value == -_INF)).to(tl.int32)
        outside += (inside & ((value < low) | (value > high))).to(tl.int32)
        near = tl.minimum(near, tl.where(present, tl.abs(bins - ZERO), BINS))
        minimum = tl.minimum(minimum, tl.where(finite, value, _INF))
        maximum = tl.maximum(maximum, tl.where(finite, value, -_INF))
        wide = tl.where(finite, value.to(tl.float64), shift)
        total += wide - shift
        squares += (wide - shift) * (wide - shift)
        absolute += tl.where(finite, tl.abs(wide), 0.0)

    # The bin of a tensor without any finite value in its first block is no bin: its count is 0.
    _add_bin(counts, ZERO, tl.sum(zeros))
    _add_bin(counts, top, tl.sum(tops))
    _add_bin(counts, under_top, tl.sum(under_tops))
    _add_bin(counts, bottom, tl.sum(bottoms))
    _add_bin(counts, over_bottom, tl.sum(over_bottoms))
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


@triton.jit
def _add_bin(counts, index, count):
    tl.atomic_add(counts + index, count.to(tl.int64), mask=count > 0, sem="relaxed")


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
    BLOCK: tl.constexpr,
    PROGRAMS: tl.constexpr,
):
    """Add `size` contiguous elements to a row, by at most PROGRAMS programs.

    Args:
        x: float32, bfloat16, float16 or float64 [size].
        size: elements, at least 1.
        row: of the table.
        fresh: 1 if the row is empty: its shift is then taken from this tensor.
        counts: int64 [rows, BINS].
        partials: float64 [rows, PARTIALS, PROGRAMS].
        intervals: float64 [rows, 2]; values outside are counted.
        shifts: float64 [rows].
        BLOCK: of this module.
        PROGRAMS: of this module.
    """
    program, sharers = tl.program_id(0), tl.num_programs(0)
    _measure(
        x, size, row, fresh, program, sharers, counts, partials, intervals, shifts, BLOCK, PROGRAMS
    )


@triton.jit(do_not_specialize=["tensors"])
def add_tensors(
    jobs,
    tensors,
    counts,
    partials,
    intervals,
    shifts,
    KIND: tl.constexpr,
    ALIGNED: tl.constexpr,
    JOBS: tl.constexpr,
    BLOCK: tl.constexpr,
    PROGRAMS: tl.constexpr,
):
    """Add many contiguous tensors of one kind, each to its own row.

    Args:
        jobs: int64 [tensors, JOB_FIELDS]; FIRST ascends from 0.
        tensors: how many.
        KIND: their dtype.
        ALIGNED: whether every address and size is a multiple of 16.
        JOBS: a power of two, `tensors` or more.
        counts: as in `add_tensor`, and so are the others.
        partials: see there.
        intervals: see there.
        shifts: see there.
        BLOCK: see there.
        PROGRAMS: see there.
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
        x, size, row, fresh, share, sharers, counts, partials, intervals, shifts, BLOCK, PROGRAMS
    )
