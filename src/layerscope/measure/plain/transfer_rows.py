"""Counts become a report in plain torch, all rows at once: as `rebin`, and as the CUDA kernel."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from layerscope.measure.bins import MAGNITUDES, MANTISSA_BITS, ZERO
from layerscope.measure.plain.bins import lower_edge_of, magnitude_of
from layerscope.measure.reading import BUCKETS
from layerscope.measure.table import (
    ABSOLUTE,
    COUNT,
    FAR,
    MAXIMUM,
    MINIMUM,
    NAN,
    NEAR,
    NEGATIVE_INF,
    OUTSIDE,
    POSITIVE_INF,
    SHIFT,
    SQUARES,
    SUM,
    ZEROS,
)

_FLOAT32_MAX = torch.finfo(torch.float32).max
_PARTS = (1 << MANTISSA_BITS) - 1


class Shown(NamedTuple):
    """What is shown of k rows, on their device.

    Attributes:
        axes: float64 [k, 2], the least range to show; NaN shows the measured one.
        logarithmic: bool [k], whether log10 |x| is shown too.
        parts: `log_axis.LOG2_PARTS`.
    """

    axes: Tensor
    logarithmic: Tensor
    parts: Tensor


def report_of(counts: Tensor, sums: Tensor, tallies: Tensor, shown: Shown) -> Tensor:
    """The report of k rows; for the arguments see `ReferenceTable`, for the columns `report`."""
    nonfinite = tallies[:, NAN] + tallies[:, POSITIVE_INF] + tallies[:, NEGATIVE_INF]
    finite = tallies[:, COUNT] - nonfinite
    some = finite > 0
    offset = torch.where(some, sums[:, SUM] / finite, 0.0)
    minimum = torch.where(some, sums[:, MINIMUM], torch.nan)
    maximum = torch.where(some, sums[:, MAXIMUM], torch.nan)
    left, right = _range(minimum, maximum, shown.axes)
    linear = _linear(counts, minimum, maximum, left, right, tallies[:, ZEROS], finite)

    near = torch.where(tallies[:, FAR] > 0, tallies[:, NEAR], 1)
    far = tallies[:, FAR].clamp(min=1)
    logarithmic = _logarithmic(counts, near, far, tallies[:, ZEROS], finite, shown.parts)
    logged = some & shown.logarithmic

    tallied = (COUNT, ZEROS, NAN, POSITIVE_INF, NEGATIVE_INF, OUTSIDE)
    figures = [
        *(tallies[:, field].double() for field in tallied),
        torch.where(some, sums[:, SHIFT] + offset, 0.0),
        (sums[:, SQUARES] - offset * sums[:, SUM]).clamp(min=0),
        sums[:, ABSOLUTE],
        minimum,
        maximum,
        torch.where(some, left, 0.0),
        torch.where(some, right, 0.0),
        torch.where(logged, near, 0).double(),
        torch.where(logged, far, 0).double(),
    ]
    reached = [torch.where(some, linear.T, 0).T, torch.where(logged, logarithmic.T, 0).T]
    return torch.cat([torch.stack(figures, 1), *(each.double() for each in reached)], 1)


def _range(minimum: Tensor, maximum: Tensor, axes: Tensor) -> tuple[Tensor, Tensor]:
    """What is shown; around a constant, on its own scale."""
    left, right = torch.fmin(axes[:, 0], minimum), torch.fmax(axes[:, 1], maximum)
    spread = torch.where(left != 0, left.abs() / 2, 0.5) * (left == right)
    return (left - spread).clamp(min=-_FLOAT32_MAX), (right + spread).clamp(max=_FLOAT32_MAX)


def _linear(
    counts: Tensor,
    minimum: Tensor,
    maximum: Tensor,
    left: Tensor,
    right: Tensor,
    zeros: Tensor,
    finite: Tensor,
) -> Tensor:
    """Elements below the right edge of each linear bucket: int64 [k, BUCKETS]."""
    steps = torch.arange(1, BUCKETS + 1, dtype=torch.float64, device=counts.device)
    share = steps / BUCKETS
    edge = (left[:, None] * (1.0 - share) + right[:, None] * share).nan_to_num(0.0)
    magnitude = torch.where(edge == 0, 0, magnitude_of(edge))
    index = ZERO + torch.where(edge > 0, magnitude, -magnitude)
    near, far = lower_edge_of(magnitude), lower_edge_of(magnitude + 1)
    low = torch.maximum(torch.where(edge > 0, near, -far), minimum[:, None])
    high = torch.minimum(torch.where(edge > 0, far, -near), maximum[:, None])
    inside = (edge - low) / (high - low)  # as if the bin's elements lay evenly between the two
    inside = inside.masked_fill(edge >= high, 1.0)
    inside = inside.masked_fill((edge <= low) | (edge == 0), 0.0)
    zeros_below = torch.where(index > ZERO, zeros[:, None], 0)
    below = pad(counts.cumsum(1), (1, 0)).gather(1, index) - zeros_below
    reached = (below + inside * counts.gather(1, index)).round().long() + zeros_below
    reached[:, -1] = finite
    return reached


def _logarithmic(
    counts: Tensor, near: Tensor, far: Tensor, zeros: Tensor, finite: Tensor, parts: Tensor
) -> Tensor:
    """The same on the axis of `log_axis`, zeros included; the first column is the zeros alone."""

    def octaves(magnitude: Tensor) -> Tensor:
        return ((magnitude - 1) >> MANTISSA_BITS) + parts[(magnitude - 1) & _PARTS]

    start = octaves(near)
    width = (octaves(far + 1) - start) / (BUCKETS - 1)
    steps = torch.arange(BUCKETS, dtype=torch.float64, device=counts.device)
    edge = start[:, None] + steps * width[:, None]
    fraction = edge - edge.floor()
    part = (torch.searchsorted(parts, fraction, right=True) - 1).clamp(max=_PARTS)
    index = (edge.floor().long() << MANTISSA_BITS) + part
    index = index.clamp(max=MAGNITUDES - 1)
    inside = (fraction - parts[part]) / (parts[part + 1] - parts[part])
    folded = counts[:, ZERO + 1 :] + counts[:, :ZERO].flip(1)
    below = pad(folded.cumsum(1), (1, 0)).gather(1, index)
    reached = (below + inside * folded.gather(1, index)).round().long()
    reached[:, -1] = finite - zeros
    return reached + zeros[:, None]
