"""The CUDA kernel that turns rows of counts into transfer rows, and empties them: one launch.

One program a row. It reads the counts between the row's extremes once, as sums of 128 neighbours,
and then, for every edge, the 128 counts around it. What comes out are the buckets of `rebin`, to
the element: additions, products and divisions of float64 round alike everywhere, as long as the
compiler doesn't fuse them (launch it with enable_fp_fusion=False).
"""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from layerscope.measure import reading, transfer_row
from layerscope.measure.cuda.bins import (
    BINS,
    BITS,
    MAGNITUDES,
    OCTAVE,
    ZERO,
    lower_edge_of,
    magnitude_of,
)
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
from layerscope.measure.moments import MomentColumn

WARPS = 16

_BUCKETS = tl.constexpr(reading.BUCKETS)
_LANES = tl.constexpr(32)  # of the linear edges, and as many of the logarithmic ones
_GROUPS = tl.constexpr(16)
_TRANSFERRED = tl.constexpr(transfer_row.TRANSFERRED)
_COUNT = tl.constexpr(int(MomentColumn.COUNT))
_ZEROS = tl.constexpr(int(MomentColumn.ZEROS))
_NAN = tl.constexpr(int(MomentColumn.NAN))
_POSITIVE_INF = tl.constexpr(int(MomentColumn.POSITIVE_INF))
_NEGATIVE_INF = tl.constexpr(int(MomentColumn.NEGATIVE_INF))
_OUTSIDE = tl.constexpr(int(MomentColumn.OUTSIDE))
_MEAN = tl.constexpr(int(MomentColumn.MEAN))
_SQUARED_DEVIATIONS = tl.constexpr(int(MomentColumn.SQUARED_DEVIATIONS))
_ABSOLUTE_SUM = tl.constexpr(int(MomentColumn.ABSOLUTE_SUM))
_MINIMUM = tl.constexpr(int(MomentColumn.MINIMUM))
_MAXIMUM = tl.constexpr(int(MomentColumn.MAXIMUM))
_LEFT = tl.constexpr(transfer_row.LEFT)
_LINEAR = tl.constexpr(transfer_row.LINEAR)
_FLOAT32_MAX = tl.constexpr(3.4028234663852886e38)
_ROUND = tl.constexpr(2.0**52)  # adding it leaves no room for a fraction: ties go to even
_INF = tl.constexpr(float("inf"))


@triton.jit
def _octaves_below(magnitude, parts):
    """As in `log_axis`."""
    at = magnitude - 1
    return (at >> BITS).to(tl.float64) + tl.load(parts + (at & (OCTAVE - 1)))


@triton.jit
def _linear_edges(step, left, right):
    share = (step + 1).to(tl.float64) / _BUCKETS
    return left * (1.0 - share) + right * share


@triton.jit
def _share_of_bin(edge, magnitude, minimum, maximum):
    """Share of a bin's elements below an edge in it, lying evenly between the extremes."""
    near, far = lower_edge_of(magnitude), lower_edge_of(magnitude + 1)
    low = tl.maximum(tl.where(edge > 0, near, -far), minimum)
    high = tl.minimum(tl.where(edge > 0, far, -near), maximum)
    share = (edge - low) / tl.where(high > low, high - low, 1.0)
    return tl.where(edge <= low, 0.0, tl.where(edge >= high, 1.0, share))


@triton.jit
def _partial_sum(counts, sign, magnitude, near, far):
    """Elements of one sign that are nearer to zero than a bin but in its group of 128."""
    at = ((magnitude >> BITS) << BITS)[:, None] + tl.arange(0, OCTAVE)[None, :]
    inside = (at >= near) & (at <= far) & (at < magnitude[:, None])
    return tl.sum(tl.load(counts + ZERO + sign * at, mask=inside, other=0), 1)


@triton.jit
def write_transfer_rows(
    counts,
    partials,
    shifts,
    tops,
    axes,
    logarithmic,
    parts,
    out,
    RESET: tl.constexpr,
    PROGRAMS: tl.constexpr,
):
    """Fill the transfer row of the row that is the program's number, and empty the row.

    Args:
        counts: see `kernel.add_tensors`, and so are the next three; tops are set where RESET.
        axes: float64 [rows, 2], the least range to show; NaN shows the measured one.
        logarithmic: int8 [rows], whether log10 |x| is shown too.
        parts: float64 [129], `log_axis.LOG2_PARTS`.
        out: float64 [rows, TRANSFERRED], filled; see `transfer_row`.
        RESET: whether to leave the row empty.
        PROGRAMS: of `partials`.
    """
    row = tl.program_id(0).to(tl.int64)
    counts += row * BINS
    out += row * _TRANSFERRED
    place = partials + row * PARTIALS * PROGRAMS + tl.arange(0, PROGRAMS)
    nan = tl.sum(tl.load(place + NAN * PROGRAMS))
    positive = tl.sum(tl.load(place + POSITIVE_INF * PROGRAMS))
    negative = tl.sum(tl.load(place + NEGATIVE_INF * PROGRAMS))
    minimum = tl.min(tl.load(place + MINIMUM * PROGRAMS))
    maximum = tl.max(tl.load(place + MAXIMUM * PROGRAMS))
    total = tl.sum(tl.load(place + SUM * PROGRAMS))
    squares = tl.sum(tl.load(place + SQUARES * PROGRAMS))
    near = tl.min(tl.load(place + NEAR * PROGRAMS)).to(tl.int64)
    zeros = tl.load(counts + ZERO)
    nonzero = near <= MAGNITUDES
    some = nonzero | (zeros > 0)
    minimum, maximum = tl.where(some, minimum, 0.0), tl.where(some, maximum, 0.0)
    far = tl.maximum(magnitude_of(minimum), magnitude_of(maximum)).to(tl.int64)
    far = tl.where(nonzero, far, 0)

    axis_left, axis_right = tl.load(axes + 2 * row), tl.load(axes + 2 * row + 1)
    left = tl.where(axis_left < minimum, axis_left, minimum)  # NaN is not less
    right = tl.where(axis_right > maximum, axis_right, maximum)
    spread = tl.where(left != 0, tl.abs(left) / 2, 0.5)
    spread = tl.where(left == right, spread, 0.0)
    left, right = tl.maximum(left - spread, -_FLOAT32_MAX), tl.minimum(right + spread, _FLOAT32_MAX)

    # All edges side by side: the linear ones first, then the logarithmic ones.
    lane = tl.arange(0, 2 * _LANES)
    step = lane % _LANES
    is_linear = lane < _LANES
    edge = _linear_edges(step, left, right)
    log_near, log_far = tl.where(nonzero, near, 1), tl.where(nonzero, far, 1)
    start = _octaves_below(log_near, parts)
    width = (_octaves_below(log_far + 1, parts) - start) / (_BUCKETS - 1)
    log_edge = start + step.to(tl.float64) * width
    octave = tl.floor(log_edge)
    fraction = log_edge - octave
    table = tl.load(parts + tl.arange(0, OCTAVE))
    part = tl.sum((table[None, :] <= fraction[:, None]).to(tl.int64), 1) - 1
    log_magnitude = (octave.to(tl.int64) << BITS) + part + 1
    magnitude = tl.where(edge == 0, 0, magnitude_of(edge)).to(tl.int64)
    magnitude = tl.where(is_linear, magnitude, tl.minimum(log_magnitude, MAGNITUDES))

    # Elements nearer to zero than each edge's bin, of either sign.
    ups, downs = zeros * 0, zeros * 0
    up = tl.zeros([2 * _LANES], tl.int64)
    down = tl.zeros([2 * _LANES], tl.int64)
    for group in range(near >> BITS, (far >> BITS) + 1, _GROUPS):
        groups = group + tl.arange(0, _GROUPS)
        at = groups[:, None] * OCTAVE + tl.arange(0, OCTAVE)[None, :]
        touched = (at >= near) & (at <= far)
        group_up = tl.sum(tl.load(counts + ZERO + at, mask=touched, other=0), 1)
        group_down = tl.sum(tl.load(counts + ZERO - at, mask=touched, other=0), 1)
        earlier = groups[:, None] < (magnitude >> BITS)[None, :]
        up += tl.sum(tl.where(earlier, group_up[:, None], 0), 0)
        down += tl.sum(tl.where(earlier, group_down[:, None], 0), 0)
        ups += tl.sum(group_up)
        downs += tl.sum(group_down)
    up += _partial_sum(counts, 1, magnitude, near, far)
    down += _partial_sum(counts, -1, magnitude, near, far)
    at_up = tl.load(counts + ZERO + magnitude, mask=magnitude > 0, other=0)
    at_down = tl.load(counts + ZERO - magnitude, mask=magnitude > 0, other=0)
    finite = ups + downs + zeros

    # Zeros apart, which are added whole.
    below = tl.where(edge > 0, downs + up, tl.where(edge < 0, downs - down - at_down, downs))
    inside = tl.where(edge > 0, at_up, at_down)  # none at zero: its magnitude is 0
    share = _share_of_bin(edge, magnitude, minimum, maximum)
    log_share = fraction - tl.load(parts + part)
    log_share /= tl.load(parts + part + 1) - tl.load(parts + part)
    below = tl.where(is_linear, below, up + down).to(tl.float64)
    inside = tl.where(is_linear, inside, at_up + at_down).to(tl.float64)
    share = tl.where(is_linear, share, log_share)
    reached = (below + share * inside + _ROUND - _ROUND).to(tl.int64)
    last = step >= _BUCKETS - 1
    reached = tl.where(last, ups + downs, reached)
    reached += tl.where(is_linear & (edge <= 0) & ~last, 0, zeros)

    logged = some & (tl.load(logarithmic + row) != 0)
    reached = tl.where(tl.where(is_linear, some, logged), reached, 0)
    column = _LINEAR + tl.where(is_linear, step, _BUCKETS + step)
    tl.store(out + column, reached.to(tl.float64), mask=step < _BUCKETS)
    mean_offset = total / tl.maximum(finite, 1).to(tl.float64)
    none = minimum * 0 + float("nan")
    tl.store(out + _COUNT, finite.to(tl.float64) + nan + positive + negative)
    tl.store(out + _ZEROS, zeros.to(tl.float64))
    tl.store(out + _NAN, nan)
    tl.store(out + _POSITIVE_INF, positive)
    tl.store(out + _NEGATIVE_INF, negative)
    tl.store(out + _OUTSIDE, tl.sum(tl.load(place + OUTSIDE * PROGRAMS)))
    tl.store(out + _MEAN, tl.where(some, tl.load(shifts + row) + mean_offset, 0.0))
    tl.store(out + _SQUARED_DEVIATIONS, tl.maximum(squares - mean_offset * total, 0.0))
    tl.store(out + _ABSOLUTE_SUM, tl.sum(tl.load(place + ABSOLUTE * PROGRAMS)))
    tl.store(out + _MINIMUM, tl.where(some, minimum, none))
    tl.store(out + _MAXIMUM, tl.where(some, maximum, none))
    tl.store(out + _LEFT, tl.where(some, left, 0.0))
    tl.store(out + _LEFT + 1, tl.where(some, right, 0.0))
    tl.store(out + _LEFT + 2, tl.where(logged, log_near, 0).to(tl.float64))
    tl.store(out + _LEFT + 3, tl.where(logged, log_far, 0).to(tl.float64))

    if RESET:
        tl.debug_barrier()  # all counts have been read
        _empty(counts, place, near, far, PROGRAMS)
        tl.store(tops + row, far.to(tl.int32))


@triton.jit
def _empty(counts, place, near, far, PROGRAMS: tl.constexpr):
    """Leave a row as it was before anything was measured; only what was touched is written."""
    nothing = tl.zeros([_GROUPS, OCTAVE], tl.int64)
    for group in range(near >> BITS, (far >> BITS) + 1, _GROUPS):
        at = (group + tl.arange(0, _GROUPS))[:, None] * OCTAVE + tl.arange(0, OCTAVE)[None, :]
        touched = (at >= near) & (at <= far)
        tl.store(counts + ZERO + at, nothing, mask=touched)
        tl.store(counts + ZERO - at, nothing, mask=touched)
    tl.store(counts + ZERO, tl.zeros([], tl.int64))
    empty = tl.zeros([PROGRAMS], tl.float64)
    for field in tl.static_range(PARTIALS):
        if field == MINIMUM:
            tl.store(place + field * PROGRAMS, empty + _INF)
        elif field == MAXIMUM:
            tl.store(place + field * PROGRAMS, empty - _INF)
        elif field == NEAR:
            tl.store(place + field * PROGRAMS, empty + BINS)
        else:
            tl.store(place + field * PROGRAMS, empty)
