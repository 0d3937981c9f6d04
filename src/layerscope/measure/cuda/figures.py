"""Extremes and sums of a program's values, and how many of them lie outside of an interval.

Sums are float64 around a shift: exact enough for a mean of 1e4 with a std of 1, and squares of
float32 stay finite. GPUs with few float64 units are slower for it. A program adds its figures to a
place of its own, and one order adds up the places when they are read: no float is added atomically,
so the same tensors give the same sums, bit for bit.
"""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from layerscope.measure.cuda.partials import ABSOLUTE, MAXIMUM, MINIMUM, NEAR, OUTSIDE, SQUARES, SUM

_INF = tl.constexpr(float("inf"))


@triton.jit
def number_of(which):
    """How many of each thread."""
    return tl.sum(which.to(tl.int32), 1)


@triton.jit
def no_figures(kind: tl.constexpr, size: tl.constexpr):
    """Of no values: minimum, maximum, sums of offsets from the shift, of their squares and of
    absolute values, how many lie outside of the interval.
    """
    zero = tl.zeros([size], tl.float64)
    none = tl.zeros([size], tl.int32)
    return tl.full([size], _INF, kind), tl.full([size], -_INF, kind), zero, zero, zero, none


@triton.jit
def with_values(figures, value, which, shift, low, high):
    """The figures and those of further values, [figures, of each thread]."""
    minimum, maximum, offsets, squares, absolute, outside = figures
    least = tl.min(tl.where(which, value, _INF), 1)
    most = tl.max(tl.where(which, value, -_INF), 1)
    wide = tl.where(which, value.to(tl.float64), shift)
    offset = wide - shift
    magnitude = tl.where(which, tl.abs(wide), 0.0)
    return (
        tl.minimum(minimum, least),
        tl.maximum(maximum, most),
        offsets + tl.sum(offset, 1),
        squares + tl.sum(offset * offset, 1),
        absolute + tl.sum(magnitude, 1),
        outside + number_of(which & ((value < low) | (value > high))),
    )


@triton.jit
def add_to(place, value):
    """Add a number to what is there."""
    tl.store(place, tl.load(place) + value)


@triton.jit
def add_figures(place, figures, near, PROGRAMS: tl.constexpr):
    """Add what a program has found to its place."""
    minimum, maximum, offsets, squares, absolute, outside = figures
    # All are fetched before the first is stored: each would wait for memory by itself.
    offsets_before = tl.load(place + SUM * PROGRAMS)
    squares_before = tl.load(place + SQUARES * PROGRAMS)
    absolute_before = tl.load(place + ABSOLUTE * PROGRAMS)
    outside_before = tl.load(place + OUTSIDE * PROGRAMS)
    least = tl.load(place + MINIMUM * PROGRAMS)
    most = tl.load(place + MAXIMUM * PROGRAMS)
    nearest = tl.load(place + NEAR * PROGRAMS)
    tl.store(place + SUM * PROGRAMS, offsets_before + tl.sum(offsets))
    tl.store(place + SQUARES * PROGRAMS, squares_before + tl.sum(squares))
    tl.store(place + ABSOLUTE * PROGRAMS, absolute_before + tl.sum(absolute))
    tl.store(place + OUTSIDE * PROGRAMS, outside_before + tl.sum(outside))
    tl.store(place + MINIMUM * PROGRAMS, tl.minimum(least, tl.min(minimum).to(tl.float64)))
    tl.store(place + MAXIMUM * PROGRAMS, tl.maximum(most, tl.max(maximum).to(tl.float64)))
    tl.store(place + NEAR * PROGRAMS, tl.minimum(nearest, tl.min(near).to(tl.float64)))
