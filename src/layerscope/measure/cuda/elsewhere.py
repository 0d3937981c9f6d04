"""What lies in none of a program's slots: seldom anything, and it goes to the bins directly."""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from layerscope.measure.cuda.bins import BINS, ZERO, magnitude_of
from layerscope.measure.cuda.elements import load
from layerscope.measure.cuda.figures import add_figures, add_to, no_figures, number_of, with_values
from layerscope.measure.cuda.partials import NAN, NEGATIVE_INF, OUTSIDE, POSITIVE_INF
from layerscope.measure.cuda.slots import ELSEWHERE, counted, slot_of

_INF = tl.constexpr(float("inf"))


@triton.jit
def count_elsewhere(
    x,
    size,
    program,
    sharers,
    rounds,
    grouped,
    slots,
    counts,
    place,
    below,
    shift,
    low,
    high,
    BLOCK: tl.constexpr,
    EACH: tl.constexpr,
    PROGRAMS: tl.constexpr,
    SHARED: tl.constexpr,
):
    """Go through the rounds once more that met a value without a slot: it goes to the bins.

    Args:
        rounds: blocks of the program's share.
        grouped: the base-2 logarithm of how many rounds count what has no slot together.
    """
    # A quarter of a block at a time: their places in the bins go through shared memory.
    ROWS: tl.constexpr = BLOCK // EACH // 4  # noqa: N806
    lane = tl.arange(0, ROWS)[:, None] * EACH + tl.arange(0, EACH)[None, :]
    one = tl.full([ROWS, EACH], 1, tl.int64)
    near = tl.full([ROWS], BINS, tl.int32)
    nans = tl.zeros([ROWS], tl.int32)
    positives = tl.zeros([ROWS], tl.int32)
    negatives = tl.zeros([ROWS], tl.int32)
    figures = no_figures(low.dtype, ROWS)
    for quarter in range(4 * rounds):
        if counted(slots, ELSEWHERE + (quarter // 4 >> grouped), SHARED) > 0:
            block = program + tl.cast(quarter // 4, tl.int64) * sharers
            at = block * BLOCK + (quarter % 4) * (BLOCK // 4) + lane
            value = load(x, at, at < size)
            left = (at < size) & (slot_of(value, below, ELSEWHERE) == ELSEWHERE)
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
