"""A row's figures in a form that parts of a tensor merge in, whatever device they were measured on.

float64 [rows, FIGURES]: the fields of `Moments` in their order, then the bins between zero and the
finite value nearest to it, and farthest from it, and the elements that a sample left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from layerscope.measure.bins import BINS, ZERO
from layerscope.measure.reading import MOMENTS

NEAREST, FARTHEST, UNCOUNTED = range(MOMENTS, MOMENTS + 3)
FIGURES = MOMENTS + 3

_TALLIES = [*range(6), 8, UNCOUNTED]  # counts of elements and the absolute sum: these add up
_MEAN, _DEVIATIONS, _MINIMUM, _MAXIMUM = 6, 7, 9, 10


class Mergeable(Protocol):
    """Rows that can be taken out and put back."""

    @property
    def bins(self) -> Tensor:
        """int64 [all rows, at least BINS]; a view, writing to it changes the rows."""

    def figures(self, rows: int) -> Tensor:
        """The first rows' figures, float64 [rows, FIGURES], on the rows' device."""

    def put(self, rows: int, figures: Tensor) -> None:
        """Set the first rows' figures; the bins stay."""


def merged(a: Tensor, b: Tensor) -> Tensor:
    """The figures of both parts together (Chan, Golub, LeVeque 1979, equation 2.1)."""
    finite_a, finite_b = _finite(a), _finite(b)
    total = (finite_a + finite_b).clamp(min=1)
    delta = b[:, _MEAN] - a[:, _MEAN]
    out = a.clone()
    out[:, _TALLIES] = a[:, _TALLIES] + b[:, _TALLIES]
    both = a[:, _MEAN] + delta * (finite_b / total)
    out[:, _MEAN] = torch.where(
        finite_a == 0, b[:, _MEAN], torch.where(finite_b == 0, a[:, _MEAN], both)
    )
    between = torch.where((finite_a > 0) & (finite_b > 0), delta * delta, 0.0)
    out[:, _DEVIATIONS] += b[:, _DEVIATIONS] + between * (finite_a * finite_b / total)
    out[:, _MINIMUM] = torch.fmin(a[:, _MINIMUM], b[:, _MINIMUM])
    out[:, _MAXIMUM] = torch.fmax(a[:, _MAXIMUM], b[:, _MAXIMUM])
    out[:, NEAREST] = torch.minimum(a[:, NEAREST], b[:, NEAREST])
    out[:, FARTHEST] = torch.maximum(a[:, FARTHEST], b[:, FARTHEST])
    return out


def combine_ranks(
    table: Mergeable, rows: int, rank: int, ranks: int, add_up: Callable[[Tensor], None]
) -> None:
    """Leave in the first rows of every rank's table what all ranks measured; two collectives.

    The figures merge in the order of the ranks, so that every rank comes to the same, bit for bit.

    Args:
        table: this rank's; the same rows mean the same on every rank.
        rows: how many to combine.
        rank: this one, from 0.
        ranks: how many there are.
        add_up: replaces a tensor by its sum over the ranks, as `torch.distributed.all_reduce`.
    """
    own = table.figures(rows)
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
        whole = merged(whole, part)
    # On the host only the bins that some row uses travel; looking at them would make a device wait.
    far = BINS - 1 - ZERO
    if own.device.type == "cpu" and rows:
        far = int(whole[:, FARTHEST].max())
    band = table.bins[:rows, ZERO - far : ZERO + far + 1].contiguous()
    add_up(band)
    table.bins[:rows, ZERO - far : ZERO + far + 1] = band
    table.put(rows, whole)


def _finite(figures: Tensor) -> Tensor:
    return figures[:, 0] - figures[:, 2] - figures[:, 3] - figures[:, 4]
