"""Bins become what is shown: linear buckets, by the distribution function at their edges.

The count below an edge is the sum of the bins below it, plus the share of the bin that the edge
cuts, as if that bin's values were spread evenly over it, or over the part of it between the
minimum and the maximum. Rounded at every edge, the differences are whole numbers that sum to the
number of finite elements: no comb of empty and full buckets, no element lost.
"""

import numpy as np

from layerscope.measure.bins import LOWEST_EXPONENT, MANTISSA_BITS, ZERO
from layerscope.measure.cpu.bins import bin_of, lower_edge_of
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import load_i64
from layerscope.measure.log_axis import LOG2_PARTS, LOG10_2
from layerscope.measure.reading import BUCKETS

_PARTS = (1 << MANTISSA_BITS) - 1


@jit
def _sum(counts, start, stop):  # type: ignore[no-untyped-def]
    total = 0
    for i in range(start, stop):
        total += load_i64(counts, i)
    return total


@jit
def _between(counts, start, stop, near, far):  # type: ignore[no-untyped-def]
    """Elements, zeros apart, in the bins from start up to, not including, stop.

    Reads only the bins that can hold any.
    """
    below = _sum(counts, max(start, ZERO - far), min(stop, ZERO - near + 1))
    return below + _sum(counts, max(start, ZERO + near), min(stop, ZERO + far + 1))


@jit
def _share_below(edge, index, minimum, maximum):  # type: ignore[no-untyped-def]
    """Share of a bin's elements that lie below an edge within it."""
    if index == ZERO:
        return 0.0
    magnitude = abs(index - ZERO)
    near, far = lower_edge_of(magnitude), lower_edge_of(magnitude + 1)
    low, high = (near, far) if index > ZERO else (-far, -near)
    low, high = max(low, minimum), min(high, maximum)
    if edge <= low:
        return 0.0
    if edge >= high:
        return 1.0
    return (edge - low) / (high - low)


@jit
def linear_edge(left, right, k):  # type: ignore[no-untyped-def]
    """The left edge of the k-th equal bucket from left to right."""
    share = k / BUCKETS
    return left * (1.0 - share) + right * share


@jit
def fill_linear(  # type: ignore[no-untyped-def]
    counts, near, far, minimum, maximum, left, right, zeros, total, weight, out
):
    """Fill out[:, (left, right, count)] with equal buckets from left to right.

    An element in the bins stands for `weight` of the `total` that are finite, a zero for itself.
    """
    cursor, below, previous = 0, 0, 0
    edge = left
    for k in range(BUCKETS):
        following = linear_edge(left, right, k + 1)
        index = bin_of(following)
        below += _between(counts, cursor, index, near, far)
        cursor = index
        inside = 0.0
        if index != ZERO:
            inside = _share_below(following, index, minimum, maximum) * load_i64(counts, index)
        zeros_below = zeros if index > ZERO else 0
        counted = zeros_below + int(np.rint((below + inside) * weight))
        reached = total if k == BUCKETS - 1 else counted
        out[k, 0], out[k, 1] = edge, following
        out[k, 2] = reached - previous
        edge, previous = following, reached


@jit
def _octaves_below(magnitude):  # type: ignore[no-untyped-def]
    """As in `log_axis`."""
    return ((magnitude - 1) >> MANTISSA_BITS) + LOG2_PARTS[(magnitude - 1) & _PARTS]


@jit
def logarithmic_range(near, far):  # type: ignore[no-untyped-def]
    """Where the buckets behind that of the zeros begin, as octaves above 2**-149, and their width.

    Args:
        near: bins between zero and the value nearest to it.
        far: and the one farthest from it; 0 where there is none.
    """
    if far == 0:  # nothing but zeros
        near, far = 1, 1
    start = _octaves_below(near)
    return start, (_octaves_below(far + 1) - start) / (BUCKETS - 1)


@jit
def log10_of(octaves):  # type: ignore[no-untyped-def]
    """As in `log_axis`."""
    return (octaves + LOWEST_EXPONENT) * LOG10_2


@jit
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


@jit
def fill_logarithmic(counts, near, far, zeros, total, weight, out):  # type: ignore[no-untyped-def]
    """Fill out with buckets of log10 of the absolute value; the first holds the zeros."""
    start, width = logarithmic_range(near, far)
    near = near if far > 0 else 1
    previous_edge = log10_of(start)
    out[0, 0] = log10_of(start - width)
    out[0, 1], out[0, 2] = previous_edge, zeros
    cursor, below, previous = near, 0, 0
    for k in range(BUCKETS - 1):
        edge = start + (k + 1) * width
        if k == BUCKETS - 2:
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
        log_edge = log10_of(edge)
        out[k + 1, 0], out[k + 1, 1] = previous_edge, log_edge
        out[k + 1, 2] = reached - previous
        previous, previous_edge = reached, log_edge
