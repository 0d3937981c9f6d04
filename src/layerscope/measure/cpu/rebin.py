"""Bins become what is shown: linear buckets, by the distribution function at their edges.

The count below an edge is the sum of the bins below it, plus the share of the bin that the edge
cuts, as if that bin's values were spread evenly over it, or over the part of it between the
minimum and the maximum. Rounded at every edge, the differences are whole numbers that sum to the
number of finite elements: no comb of empty and full buckets, no element lost.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from layerscope.measure.bins import BINS, LOWEST_EXPONENT, MANTISSA_BITS, ZERO
from layerscope.measure.cpu.kernel import magnitude_of
from layerscope.measure.cpu.raw_memory import (
    f64_from_bits,
    load_f64,
    load_i64,
    store_f64,
    store_i64,
)
from layerscope.measure.log_axis import LOG2_PARTS, LOG10_2
from layerscope.measure.table import (
    ABSOLUTE,
    COUNT,
    FAR,
    FIELDS,
    LEFT_OUT,
    MAXIMUM,
    MINIMUM,
    NAN,
    NEAR,
    NEGATIVE_INF,
    OUTSIDE,
    POSITIVE_INF,
    ROW,
    SHIFT,
    SQUARES,
    SUM,
    ZEROS,
)

_PARTS = (1 << MANTISSA_BITS) - 1
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@njit(nogil=True, cache=True)
def _lower_edge(magnitude):  # type: ignore[no-untyped-def]
    """The least absolute value of the bin that is `magnitude` bins from zero."""
    biased = magnitude - 1 + ((LOWEST_EXPONENT + 1023) << MANTISSA_BITS)
    return f64_from_bits(biased << (52 - MANTISSA_BITS))


@njit(nogil=True, cache=True)
def _sum(counts, start, stop):  # type: ignore[no-untyped-def]
    total = 0
    for i in range(start, stop):
        total += load_i64(counts, i)
    return total


@njit(nogil=True, cache=True)
def _between(counts, start, stop, near, far):  # type: ignore[no-untyped-def]
    """Elements, zeros apart, in the bins from start up to, not including, stop.

    Reads only the bins that can hold any.
    """
    below = _sum(counts, max(start, ZERO - far), min(stop, ZERO - near + 1))
    return below + _sum(counts, max(start, ZERO + near), min(stop, ZERO + far + 1))


@njit(nogil=True, cache=True)
def _share_below(edge, index, minimum, maximum):  # type: ignore[no-untyped-def]
    """Share of a bin's elements that lie below an edge within it."""
    if index == ZERO:
        return 0.0
    magnitude = abs(index - ZERO)
    near, far = _lower_edge(magnitude), _lower_edge(magnitude + 1)
    low, high = (near, far) if index > ZERO else (-far, -near)
    low, high = max(low, minimum), min(high, maximum)
    if edge <= low:
        return 0.0
    if edge >= high:
        return 1.0
    return (edge - low) / (high - low)


@njit(nogil=True, cache=True)
def _index(value):  # type: ignore[no-untyped-def]
    if value == 0.0:
        return ZERO
    magnitude = magnitude_of(value)
    return ZERO + magnitude if value > 0 else ZERO - magnitude


@njit(nogil=True, cache=True)
def _linear(  # type: ignore[no-untyped-def]
    counts, near, far, minimum, maximum, left, right, zeros, total, weight, out
):
    """Fill out[:, (left, right, count)] with equal buckets from left to right.

    An element in the bins stands for `weight` of the `total` that are finite, a zero for itself.
    """
    buckets = out.shape[0]
    cursor, below, previous = 0, 0, 0
    edge = left
    for k in range(buckets):
        share = (k + 1) / buckets
        following = left * (1.0 - share) + right * share
        index = _index(following)
        below += _between(counts, cursor, index, near, far)
        cursor = index
        inside = 0.0
        if index != ZERO:
            inside = _share_below(following, index, minimum, maximum) * load_i64(counts, index)
        zeros_below = zeros if index > ZERO else 0
        counted = zeros_below + int(np.rint((below + inside) * weight))
        reached = total if k == buckets - 1 else counted
        out[k, 0], out[k, 1] = edge, following
        out[k, 2] = reached - previous
        edge, previous = following, reached


@njit(nogil=True, cache=True)
def _octaves_below(magnitude):  # type: ignore[no-untyped-def]
    """As in `log_axis`."""
    return ((magnitude - 1) >> MANTISSA_BITS) + LOG2_PARTS[(magnitude - 1) & _PARTS]


@njit(nogil=True, cache=True)
def _part_of(fraction):  # type: ignore[no-untyped-def]
    """Which of its octave's bins holds what lies a fraction of the octave, in log2, above it."""
    low, high = 0, _PARTS + 1
    while high - low > 1:
        middle = (low + high) >> 1
        if LOG2_PARTS[middle] <= fraction:
            low = middle
        else:
            high = middle
    return low


@njit(nogil=True, cache=True)
def _logarithmic(counts, near, far, zeros, total, weight, out):  # type: ignore[no-untyped-def]
    """Fill out with buckets of log10 of the absolute value; the first holds the zeros."""
    buckets = out.shape[0] - 1
    if far == 0:  # nothing but zeros
        near, far = 1, 1
    start = _octaves_below(near)
    width = (_octaves_below(far + 1) - start) / buckets
    previous_edge = (start + LOWEST_EXPONENT) * LOG10_2
    out[0, 0] = (start - width + LOWEST_EXPONENT) * LOG10_2
    out[0, 1], out[0, 2] = previous_edge, zeros
    cursor, below, previous = near, 0, 0
    for k in range(buckets):
        edge = start + (k + 1) * width
        if k == buckets - 1:
            reached = total - zeros
        else:
            octave = np.int64(np.floor(edge))
            fraction = edge - octave
            part = _part_of(fraction)
            magnitude = (octave << MANTISSA_BITS) + part + 1
            below += _sum(counts, ZERO + cursor, ZERO + magnitude)
            below += _sum(counts, ZERO - magnitude + 1, ZERO - cursor + 1)
            cursor = magnitude
            inside = load_i64(counts, ZERO + magnitude) + load_i64(counts, ZERO - magnitude)
            share = (fraction - LOG2_PARTS[part]) / (LOG2_PARTS[part + 1] - LOG2_PARTS[part])
            reached = int(np.rint((below + share * inside) * weight))
        log_edge = (edge + LOWEST_EXPONENT) * LOG10_2
        out[k + 1, 0], out[k + 1, 1] = previous_edge, log_edge
        out[k + 1, 2] = reached - previous
        previous, previous_edge = reached, log_edge


@njit(nogil=True, cache=True)
def _moments(sums, tallies, out):  # type: ignore[no-untyped-def]
    """Fill out in the order of the fields of `Moments`; returns the number of finite elements."""
    count, nan = load_i64(tallies, COUNT), load_i64(tallies, NAN)
    positive, negative = load_i64(tallies, POSITIVE_INF), load_i64(tallies, NEGATIVE_INF)
    finite = count - nan - positive - negative
    out[0], out[1], out[2] = count, load_i64(tallies, ZEROS), nan
    out[3], out[4], out[5] = positive, negative, load_i64(tallies, OUTSIDE)
    out[6], out[7], out[9], out[10] = 0.0, 0.0, np.nan, np.nan
    if finite > 0:
        offset = load_f64(sums, SUM) / finite
        out[6] = load_f64(sums, SHIFT) + offset
        out[7] = max(load_f64(sums, SQUARES) - offset * load_f64(sums, SUM), 0.0)
        out[9], out[10] = load_f64(sums, MINIMUM), load_f64(sums, MAXIMUM)
    out[8] = load_f64(sums, ABSOLUTE)
    return finite


@njit(nogil=True, cache=True)
def _reset(counts, sums, tallies):  # type: ignore[no-untyped-def]
    near, far = load_i64(tallies, NEAR), load_i64(tallies, FAR)
    for i in range(ZERO - far, ZERO - near + 1):
        store_i64(counts, i, 0)
    store_i64(counts, ZERO, 0)
    for i in range(ZERO + near, ZERO + far + 1):
        store_i64(counts, i, 0)
    for field in range(FIELDS):
        store_i64(tallies, field, 0)
    store_i64(tallies, NEAR, BINS)
    for field in (SHIFT, SUM, SQUARES, ABSOLUTE):
        store_f64(sums, field, 0.0)
    store_f64(sums, MINIMUM, np.inf)
    store_f64(sums, MAXIMUM, -np.inf)


@njit(nogil=True, cache=True)
def empty_row(table, row):  # type: ignore[no-untyped-def]
    """Leave a row of a table, `Table.address`, as it was made; its interval stays."""
    counts = load_i64(table, 0) + row * ROW * 8
    sums = load_i64(table, 1) + row * FIELDS * 8
    _reset(counts, sums, load_i64(table, 2) + row * FIELDS * 8)


@njit(nogil=True, cache=True)
def read_rows(table, first, axes, logs, moments, linear, logarithmic, reset):  # type: ignore[no-untyped-def]
    """Read rows of a table into figures and buckets, and empty them.

    Args:
        table: `Table.address`.
        first: the first of the k rows.
        axes: float64 [all rows, 2], the least range to show; NaN shows the measured one.
        logs: bool [all rows], whether to fill `logarithmic`.
        moments: float64 [k, MOMENTS], filled.
        linear: float32 [k, buckets, 3], filled with left, right, count.
        logarithmic: float32 [k, buckets, 3], filled with the same of log10 |x|, zeros first.
        reset: whether to leave the rows empty.
    """
    for i in range(moments.shape[0]):
        row = first + i
        counts = load_i64(table, 0) + row * ROW * 8
        sums = load_i64(table, 1) + row * FIELDS * 8
        tallies = load_i64(table, 2) + row * FIELDS * 8
        finite = _moments(sums, tallies, moments[i])
        near, far = load_i64(tallies, NEAR), load_i64(tallies, FAR)
        if finite > 0:
            minimum, maximum = moments[i, 9], moments[i, 10]
            left = min(axes[row, 0], minimum) if axes[row, 0] == axes[row, 0] else minimum
            right = max(axes[row, 1], maximum) if axes[row, 1] == axes[row, 1] else maximum
            if left == right:  # a constant: buckets around it, on its own scale
                spread = abs(left) / 2 if left != 0.0 else 0.5
                left, right = left - spread, right + spread
            left, right = max(left, -_FLOAT32_MAX), min(right, _FLOAT32_MAX)
            zeros, left_out = load_i64(tallies, ZEROS), load_i64(tallies, LEFT_OUT)
            counted = finite - zeros - left_out
            weight = (finite - zeros) / counted if counted > 0 else 1.0
            _linear(
                counts,
                near,
                far,
                minimum,
                maximum,
                left,
                right,
                zeros,
                finite,
                weight,
                linear[i],
            )
            if logs[row]:
                _logarithmic(counts, near, far, zeros, finite, weight, logarithmic[i])
        else:
            linear[i] = 0
            logarithmic[i] = 0
        if reset:
            _reset(counts, sums, tallies)
