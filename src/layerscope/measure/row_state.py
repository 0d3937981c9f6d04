"""What a row holds beside its bins, in a form that parts of a tensor merge in on every device.

float64 [rows, STATE]: the moments, by `MomentColumn`; then the bins between zero and the finite
value nearest to it, and farthest from it, and the elements that a sample left out of the bins.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from layerscope.measure.bins import BINS, ZERO
from layerscope.measure.moments import MOMENTS, MomentColumn, merged
from layerscope.measure.row_layout import Sums, Tallies

NEAREST, FARTHEST, UNCOUNTED = range(MOMENTS, MOMENTS + 3)
STATE = MOMENTS + 3

_ENDS = [Tallies.NEAR, Tallies.FAR, Tallies.LEFT_OUT]
_ADDED = [*range(MomentColumn.MEAN), MomentColumn.ABSOLUTE_SUM, UNCOUNTED]
_MEAN, _DEVIATIONS = int(MomentColumn.MEAN), int(MomentColumn.SQUARED_DEVIATIONS)
_MINIMUM, _MAXIMUM = int(MomentColumn.MINIMUM), int(MomentColumn.MAXIMUM)


class Mergeable(Protocol):
    """Rows that can be taken out and put back."""

    @property
    def bins(self) -> Tensor:
        """int64 [all rows, at least BINS]; a view, writing to it changes the rows."""

    def state(self, rows: int) -> Tensor:
        """Of the first rows: float64 [rows, STATE], on the rows' device."""

    def load_state(self, state: Tensor) -> None:
        """Set as many of the first rows as the state has; the bins stay."""


def state_of(moments: Tensor, tallies: Tensor) -> Tensor:
    """The state of the first rows, whose moments are given, [rows, MOMENTS]."""
    return torch.cat([moments, tallies[: len(moments), _ENDS].double()], 1)


def put_back(state: Tensor, sums: Tensor, tallies: Tensor) -> None:
    """Set sums and tallies of as many of the first rows as the state has; the bins stay."""
    sums, tallies = sums[: len(state)], tallies[: len(state)]
    tallies[:, Tallies.COUNT : Tallies.OUTSIDE + 1] = state[:, : MomentColumn.MEAN].long()
    tallies[:, _ENDS] = state[:, MOMENTS:].long()
    sums[:, Sums.SHIFT] = state[:, MomentColumn.MEAN]
    sums[:, Sums.SUM] = 0.0  # about the mean
    sums[:, Sums.SQUARES] = state[:, MomentColumn.SQUARED_DEVIATIONS]
    sums[:, Sums.ABSOLUTE] = state[:, MomentColumn.ABSOLUTE_SUM]
    sums[:, Sums.MINIMUM] = state[:, MomentColumn.MINIMUM].nan_to_num(torch.inf)
    sums[:, Sums.MAXIMUM] = state[:, MomentColumn.MAXIMUM].nan_to_num(-torch.inf)


def merged_state(one: Tensor, other: Tensor) -> Tensor:
    """The state of both parts together, row by row."""
    out = one.clone()
    out[:, _ADDED] += other[:, _ADDED]
    out[:, _MEAN], out[:, _DEVIATIONS] = merged(
        _finite(one),
        one[:, _MEAN],
        one[:, _DEVIATIONS],
        _finite(other),
        other[:, _MEAN],
        other[:, _DEVIATIONS],
    )
    out[:, _MINIMUM] = torch.fmin(one[:, _MINIMUM], other[:, _MINIMUM])
    out[:, _MAXIMUM] = torch.fmax(one[:, _MAXIMUM], other[:, _MAXIMUM])
    out[:, NEAREST] = torch.minimum(one[:, NEAREST], other[:, NEAREST])
    out[:, FARTHEST] = torch.maximum(one[:, FARTHEST], other[:, FARTHEST])
    return out


def merge_ranks(
    table: Mergeable, rows: int, rank: int, ranks: int, add_up: Callable[[Tensor], None]
) -> None:
    """Leave in the first rows of every rank's table what all ranks measured; two collectives.

    The states merge in the order of the ranks, so that every rank comes to the same, bit for bit.

    Args:
        table: this rank's; the same rows mean the same on every rank.
        rows: how many to merge.
        rank: this one, from 0.
        add_up: replaces a tensor by its sum over the ranks, as `torch.distributed.all_reduce`.
    """
    own = table.state(rows)
    every = torch.zeros((ranks, *own.shape), dtype=own.dtype, device=own.device)
    unknown = own.isnan()  # NaN would spread to where another rank knows
    every[rank] = own.masked_fill(unknown, 0.0)
    known = torch.zeros_like(every)
    known[rank] = (~unknown).to(own.dtype)
    both = torch.stack([every, known])
    add_up(both)
    every = both[0].masked_fill(both[1] == 0, torch.nan)
    whole = every[0]
    for part in every[1:]:
        whole = merged_state(whole, part)
    # On the host only the bins that some row uses travel; looking at them would make a device wait.
    far = BINS - 1 - ZERO
    if own.device.type == "cpu" and rows:
        far = int(whole[:, FARTHEST].max())
    band = table.bins[:rows, ZERO - far : ZERO + far + 1].contiguous()
    add_up(band)
    table.bins[:rows, ZERO - far : ZERO + far + 1] = band
    table.load_state(whole)


def _finite(state: Tensor) -> Tensor:
    not_finite = state[:, MomentColumn.NAN : MomentColumn.NEGATIVE_INF + 1].sum(1)
    return state[:, MomentColumn.COUNT] - not_finite
