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
from layerscope.measure.cuda.slots import ELSEWHERE, slot_of

_INF = tl.constexpr(float("inf"))


@triton.jit
def count_elsewhere(
    x,
    size,
    program,
    sharers,
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
    """Go through a program's share once more, for what is in no slot: it goes to the bins."""
    # Half a block at a time: their places in the bins go through shared memory.
    ROWS: tl.constexpr = BLOCK // EACH // 2  # noqa: N806
    lane = tl.arange(0, ROWS)[:, None] * EACH + tl.arange(0, EACH)[None, :]
    one = tl.full([ROWS, EACH], 1, tl.int64)
    near = tl.full([ROWS], BINS, tl.int32)
    nans = tl.zeros([ROWS], tl.int32)
    positives = tl.zeros([ROWS], tl.int32)
    negatives = tl.zeros([ROWS], tl.int32)
    figures = no_figures(low.dtype, ROWS)
    blocks = tl.cdiv(size, BLOCK)
    for half in range(2 * tl.cdiv(tl.maximum(blocks - program, 0), sharers)):
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
