"""What lies in none of a program's slots: seldom anything, and it goes to the bins directly."""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from layerscope.measure.cuda.bins import BINS, ZERO, magnitude_of
from layerscope.measure.cuda.elements import load
from layerscope.measure.cuda.figures import (
    add_figures,
    add_to,
    no_figures,
    number_of,
    with_values,
)
from layerscope.measure.cuda.partials import NAN, NEGATIVE_INF, OUTSIDE, POSITIVE_INF
from layerscope.measure.cuda.slots import ELSEWHERE, counted, slot_of

_INF = tl.constexpr(float("inf"))

_MARKS = tl.constexpr(64)


@triton.jit
def no_marks(rounds, THREADS: tl.constexpr):
    """Of a program's rounds, one a block, so far: which a bit stands for, int64 [THREADS], that had
    values in no slot; how many such values each thread has seen; rounds that were looked at; and
    the base-2 logarithm of how many rounds share a bit.
    """
    shared = 0
    while (rounds - 1) >> shared >= _MARKS:
        shared += 1
    return tl.zeros([THREADS], tl.int64), tl.zeros([THREADS], tl.int32), 0, shared


@triton.jit
def marked(marks, slots, SHARED: tl.constexpr):
    """The marks after another round, of which all has been counted."""
    found, before, looked, shared = marks
    # A thread sees at least what it has counted itself.
    now = counted(slots, tl.full(before.shape, ELSEWHERE, tl.int32), SHARED)
    bit = tl.cast(1, tl.int64) << (looked >> shared)
    return found | tl.where(now != before, bit, 0), now, looked + 1, shared


@triton.jit
def _or(one, other):
    return one | other


@triton.jit
def count_elsewhere(
    x,
    size,
    program,
    sharers,
    marks,
    counts,
    place,
    below,
    shift,
    low,
    high,
    BLOCK: tl.constexpr,
    EACH: tl.constexpr,
    PROGRAMS: tl.constexpr,
):
    """Go through marked rounds once more, for what is in no slot: it goes to the bins."""
    # Half a block at a time: their places in the bins go through shared memory.
    ROWS: tl.constexpr = BLOCK // EACH // 2  # noqa: N806
    lane = tl.arange(0, ROWS)[:, None] * EACH + tl.arange(0, EACH)[None, :]
    one = tl.full([ROWS, EACH], 1, tl.int64)
    near = tl.full([ROWS], BINS, tl.int32)
    nans = tl.zeros([ROWS], tl.int32)
    positives = tl.zeros([ROWS], tl.int32)
    negatives = tl.zeros([ROWS], tl.int32)
    figures = no_figures(low.dtype, ROWS)
    found, _, looked, shared = marks
    found = tl.reduce(found, 0, _or)
    for half in range(2 * looked):
        if (found >> (half // 2 >> shared)) & 1 != 0:
            block = program + tl.cast(half // 2, tl.int64) * sharers
            at = block * BLOCK + (half % 2) * (BLOCK // 2) + lane
            value = load(x, at, at < size)
            left = (at < size) & (slot_of(value, below) == ELSEWHERE)
            finite = left & (tl.abs(value) < _INF)
            magnitude = magnitude_of(value)
            bins = tl.where(value > 0, ZERO + magnitude, ZERO - magnitude)
            tl.atomic_add(counts + bins, one, mask=finite, sem="relaxed")
            nans += number_of(left & (value != value))
            positives += number_of(left & (value == _INF))
            negatives += number_of(left & (value == -_INF))
            near = tl.minimum(near, tl.min(tl.where(finite, magnitude, BINS), 1))
            figures = with_values(figures, value, finite, shift, low, high)
    above, under = tl.sum(positives), tl.sum(negatives)
    add_to(place + NAN * PROGRAMS, tl.sum(nans))
    add_to(place + POSITIVE_INF * PROGRAMS, above)
    add_to(place + NEGATIVE_INF * PROGRAMS, under)
    # Infinities are outside too, unless the interval has no end.
    above, under = tl.where(high < _INF, above, 0), tl.where(low > -_INF, under, 0)
    add_to(place + OUTSIDE * PROGRAMS, above + under)
    add_figures(place, figures, near, PROGRAMS)
