"""From a program's slots to the bins that all programs share."""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from layerscope.measure.cuda.bins import BINS
from layerscope.measure.cuda.figures import add_figures, no_figures
from layerscope.measure.cuda.slots import (
    AT_A_TIME,
    ELSEWHERE,
    NOWHERE,
    SLOTS,
    bfloat16_at,
    bin_at,
    counted,
    magnitude_at,
)

_INF = tl.constexpr(float("inf"))


@triton.jit
def flush(
    slots, counts, place, below, shift, low, high,
    OF_BFLOAT16: tl.constexpr, PROGRAMS: tl.constexpr, SHARED: tl.constexpr,
):  # fmt: skip
    """Add what a program has counted in its slots to the bins."""
    near = tl.full([AT_A_TIME], BINS, tl.int32)
    minimum, maximum, offsets, squares, absolute, outside = no_figures(low.dtype, AT_A_TIME)
    for start in range(0, SLOTS, AT_A_TIME):
        slot = start + tl.arange(0, AT_A_TIME)
        count = counted(slots, slot, SHARED)
        if tl.max(count, 0) > 0:  # most octaves of a window are empty
            some = (count > 0) & (slot < ELSEWHERE) & (slot != NOWHERE)
            at = counts + bin_at(slot, below)
            tl.atomic_add(at, count.to(tl.int64), mask=some, sem="relaxed")
            magnitude = tl.where(some & (slot > 0), magnitude_at(slot, below), BINS)
            near = tl.minimum(near, magnitude)
            if OF_BFLOAT16:  # a slot knows the value
                value = bfloat16_at(slot, below)
                outside += tl.where(some & ((value < low) | (value > high)), count, 0)
                minimum = tl.minimum(minimum, tl.where(some, value, _INF))
                maximum = tl.maximum(maximum, tl.where(some, value, -_INF))
                times = tl.where(some, count, 0).to(tl.float64)
                wide = tl.where(some, value.to(tl.float64), shift)
                offsets += times * (wide - shift)
                squares += times * ((wide - shift) * (wide - shift))
                absolute += times * tl.abs(wide)
    figures = (minimum, maximum, offsets, squares, absolute, outside)
    add_figures(place, figures, near, PROGRAMS)
