"""The CUDA kernel that counts: one launch measures all tensors of a list.

Every program counts its share in slots of its own (`slots`) and adds them to the int64 bins at
its end; the few values outside that window are found by a second pass and go to the bins directly.
Where the window lies changes the speed, never a count. A slot of bfloat16 holds one value, so its
figures come from the counts: nothing but counting is done for each element.
"""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from layerscope.measure.cuda.bins import BINS
from layerscope.measure.cuda.elements import load
from layerscope.measure.cuda.elsewhere import count_elsewhere
from layerscope.measure.cuda.figures import add_figures, no_figures, with_values
from layerscope.measure.cuda.flush import flush
from layerscope.measure.cuda.job_list import job_of
from layerscope.measure.cuda.partials import PARTIALS
from layerscope.measure.cuda.slots import (
    ELSEWHERE,
    GROUPS,
    NOWHERE,
    count_slot,
    counted,
    empty_slots,
    slot_of,
    window_below,
)

# A tensor of a list: int64 [JOB_FIELDS].
POINTER = tl.constexpr(0)
SIZE = tl.constexpr(1)
ROW = tl.constexpr(2)
FRESH = tl.constexpr(3)
FIRST = tl.constexpr(4)  # of its programs
SHARERS = tl.constexpr(5)  # how many programs it has
JOB_FIELDS = tl.constexpr(6)

BLOCK = 4096
"""Elements that a program takes at a time."""

SHARE = 32_768
"""Elements that a program has at least, where there are so many: emptying its slots takes time."""

WARPS = 16

REGISTERS = 64
"""Of a thread: then two programs run on a multiprocessor at a time, and what is kept in memory for
it is not of the loop that counts."""

_INF = tl.constexpr(float("inf"))


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
    tops,
    slots,
    BLOCK: tl.constexpr,
    PROGRAMS: tl.constexpr,
    SHARED: tl.constexpr,
):
    """One program's share of a tensor: every `sharers`-th block."""
    row = tl.cast(row, tl.int64)
    # A thread adds up the 16 bytes that it loads: sums of each would fill its registers.
    EACH: tl.constexpr = 128 // x.dtype.element_ty.primitive_bitwidth  # noqa: N806
    OF_BFLOAT16: tl.constexpr = x.dtype.element_ty == tl.bfloat16  # noqa: N806
    lane = tl.arange(0, BLOCK // EACH)[:, None] * EACH + tl.arange(0, EACH)[None, :]
    counts += row * BINS
    place = partials + row * PARTIALS * PROGRAMS + program
    empty_slots(slots, SHARED)

    # Values from all over the tensor, the same in every program: its first row may be that of a
    # dead unit, and tell nothing of the others.
    apart = (tl.maximum(size // BLOCK - 1, 0) | 1) * EACH  # odd: not down one column of a matrix
    at = tl.arange(0, BLOCK // EACH)[:, None] * apart + tl.arange(0, EACH)[None, :]
    head = load(x, at, at < size)
    finite = (at < size) & (tl.abs(head) < _INF)
    if fresh != 0:
        first = tl.min(tl.where(finite, lane, BLOCK))
        shift = tl.sum(tl.where(lane == first, head, 0.0).to(tl.float64))
        if program == 0:
            tl.store(shifts + row, shift)
    else:
        shift = tl.load(shifts + row)
    below = window_below(head, finite & (head != 0), tl.load(tops + row))
    low = tl.load(intervals + 2 * row).to(head.dtype)
    high = tl.load(intervals + 2 * row + 1).to(head.dtype)
    figures = no_figures(head.dtype, BLOCK // EACH)
    tl.debug_barrier()  # the slots are empty
    # Counting may write anywhere, for all that the compiler knows: it moves no load before it. So
    # the elements of the next round are fetched ahead.
    whole = tl.cast(size // BLOCK, tl.int32)
    program, sharers = tl.cast(program, tl.int32), tl.cast(sharers, tl.int32)
    rounds = tl.cast(tl.cdiv(tl.cdiv(size, BLOCK) - program, sharers), tl.int32)
    grouped = 0
    while (rounds - 1) >> grouped >= GROUPS:
        grouped += 1
    round_ = 0
    block = x + tl.cast(program, tl.int64) * BLOCK
    stride = tl.cast(sharers, tl.int64) * BLOCK
    value = load(block, lane, lane < tl.minimum(whole - program, 1) * BLOCK)  # all, or none
    for number in range(program, whole, sharers):
        block += stride
        ahead = load(block, lane, lane < tl.minimum(whole - number - sharers, 1) * BLOCK)
        slot = slot_of(value, below, ELSEWHERE + (round_ >> grouped))
        count_slot(slots, slot, SHARED)
        if not OF_BFLOAT16:  # of which a slot knows the value
            figures = with_values(figures, value, slot < ELSEWHERE, shift, low, high)
        value = ahead
        round_ += 1
    if (whole % sharers == program) & (size % BLOCK != 0):
        at = tl.cast(whole, tl.int64) * BLOCK + lane
        value = load(x, at, at < size)
        slot = slot_of(value, below, ELSEWHERE + (round_ >> grouped))
        slot = tl.where(at < size, slot, NOWHERE)
        count_slot(slots, slot, SHARED)
        if not OF_BFLOAT16:
            counts_here = (at < size) & (slot < ELSEWHERE)
            figures = with_values(figures, value, counts_here, shift, low, high)

    tl.debug_barrier()  # all has been counted
    if not OF_BFLOAT16:
        add_figures(place, figures, tl.full([BLOCK // EACH], BINS, tl.int32), PROGRAMS)
    if tl.max(counted(slots, ELSEWHERE + tl.arange(0, GROUPS), SHARED), 0) > 0:  # seldom
        count_elsewhere(
            x, size, program, sharers, rounds, grouped, slots, counts, place, below, shift, low,
            high, BLOCK, EACH, PROGRAMS, SHARED,
        )  # fmt: skip
    flush(slots, counts, place, below, shift, low, high, OF_BFLOAT16, PROGRAMS, SHARED)


@triton.jit(do_not_specialize=["tensors"])
def add_tensors(
    jobs,
    tensors,
    counts,
    partials,
    intervals,
    shifts,
    tops,
    slots,
    KIND: tl.constexpr,
    ALIGNED: tl.constexpr,
    BLOCK: tl.constexpr,
    PROGRAMS: tl.constexpr,
    SHARED: tl.constexpr,
):
    """Add many contiguous tensors of one kind, each to its own row.

    Args:
        jobs: int64 [tensors, JOB_FIELDS]; FIRST ascends from 0; a tensor has at least one element,
            and at most PROGRAMS programs. FRESH is 1 if its row is empty: the row's shift is then
            taken from this tensor.
        counts: int64 [rows, BINS].
        partials: float64 [rows, PARTIALS, PROGRAMS].
        intervals: float64 [rows, 2]; values outside are counted.
        shifts: float64 [rows].
        tops: int32 [rows], magnitudes of the largest values that the rows held in the step before.
        slots: see `slots.empty_slots`, and SHARED.
        KIND: their dtype: float32, bfloat16, float16 or float64.
        ALIGNED: whether every address and size is a multiple of 16.
        PROGRAMS: of `partials`.
    """
    program = tl.program_id(0)
    job = jobs + job_of(program, jobs, tensors, JOB_FIELDS, FIRST) * JOB_FIELDS
    x = tl.load(job + POINTER).to(tl.pointer_type(KIND))
    size = tl.load(job + SIZE)
    if ALIGNED:
        x, size = tl.multiple_of(x, 16), tl.multiple_of(size, 16)
    row, fresh = tl.load(job + ROW), tl.load(job + FRESH)
    share, sharers = program - tl.load(job + FIRST), tl.load(job + SHARERS)
    _measure(
        x, size, row, fresh, share, sharers, counts, partials, intervals, shifts, tops, slots,
        BLOCK, PROGRAMS, SHARED,
    )  # fmt: skip
