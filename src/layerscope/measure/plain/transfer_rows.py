"""Counts become transfer rows in plain torch, all at once: as `rebin`, and as the CUDA kernel."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from layerscope.measure.bins import MAGNITUDES, MANTISSA_BITS, ZERO
from layerscope.measure.moments import MomentColumn
from layerscope.measure.plain.bins import lower_edge_of, magnitude_of
from layerscope.measure.reading import BUCKETS
from layerscope.measure.row_layout import Sums, Tallies

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


def transfer_rows_of(counts: Tensor, sums: Tensor, tallies: Tensor, shown: Shown) -> Tensor:
    """float64 [k, TRANSFERRED], see `transfer_row`; for the arguments see `PlainTable`."""
    nonfinite = (
        tallies[:, Tallies.NAN]
        + tallies[:, Tallies.POSITIVE_INF]
        + tallies[:, Tallies.NEGATIVE_INF]
    )
    finite = tallies[:, Tallies.COUNT] - nonfinite
    some = finite > 0
    offset = torch.where(some, sums[:, Sums.SUM] / finite, 0.0)
    minimum = torch.where(some, sums[:, Sums.MINIMUM], torch.nan)
    maximum = torch.where(some, sums[:, Sums.MAXIMUM], torch.nan)
    left, right = _range(minimum, maximum, shown.axes)
    linear = _linear(counts, minimum, maximum, left, right, tallies[:, Tallies.ZEROS], finite)

    near = torch.where(tallies[:, Tallies.FAR] > 0, tallies[:, Tallies.NEAR], 1)
    far = tallies[:, Tallies.FAR].clamp(min=1)
    logarithmic = _logarithmic(counts, near, far, tallies[:, Tallies.ZEROS], finite, shown.parts)
    logged = some & shown.logarithmic

    moments = {
        MomentColumn.COUNT: tallies[:, Tallies.COUNT],
        MomentColumn.ZEROS: tallies[:, Tallies.ZEROS],
        MomentColumn.NAN: tallies[:, Tallies.NAN],
        MomentColumn.POSITIVE_INF: tallies[:, Tallies.POSITIVE_INF],
        MomentColumn.NEGATIVE_INF: tallies[:, Tallies.NEGATIVE_INF],
        MomentColumn.OUTSIDE: tallies[:, Tallies.OUTSIDE],
        MomentColumn.MEAN: torch.where(some, sums[:, Sums.SHIFT] + offset, 0.0),
        MomentColumn.SQUARED_DEVIATIONS: (sums[:, Sums.SQUARES] - offset * sums[:, Sums.SUM]).clamp(
            min=0
        ),
        MomentColumn.ABSOLUTE_SUM: sums[:, Sums.ABSOLUTE],
        MomentColumn.MINIMUM: minimum,
        MomentColumn.MAXIMUM: maximum,
    }
    ends = [
        torch.where(some, left, 0.0),
        torch.where(some, right, 0.0),
        torch.where(logged, near, 0),
        torch.where(logged, far, 0),
    ]
    columns = [*(moments[column] for column in MomentColumn), *ends]
    reached = [torch.where(some, linear.T, 0).T, torch.where(logged, logarithmic.T, 0).T]
    return torch.cat(
        [torch.stack([c.double() for c in columns], 1), *(r.double() for r in reached)], 1
    )


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
