"""A number for each sample of a batch: the same where samples are, bit for bit."""

import torch
from torch import Tensor

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host

_FEATURES, _PROBED = 16, 64
"""Of fewer numbers samples may well be the same; so many of each nearly always tell them apart."""

_DIFFERENT = 8
"""Of the numbers that are probed, in half of the samples: one-hot rows have two."""

_ELEMENTS = 2**21
"""Of a larger batch on a device nothing is asked: it takes eight bytes of each."""

_ODD = 0x9E3779B1
"""Knuth, The Art of Computer Programming, volume 3, section 6.4: a multiplier that spreads."""

_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def sample_marks(data: Tensor) -> Pending[Tensor] | None:
    """Of [samples, ...] of at least 16 numbers each, one of each sample, int64 [samples]: empty,
    or all different, where no two are the same or most have few different numbers. None of other
    data.
    """
    if data.ndim < 2 or len(data) < 2 or data[0].numel() < _FEATURES:
        return None
    if data.element_size() not in _BITS:
        return None
    rows = data.detach().flatten(1)
    few = rows[:, :: -(-rows.shape[1] // _PROBED)].contiguous()
    nothing = torch.empty(0, dtype=torch.int64)
    if few.is_cpu:
        differ = bool(_summed(few).sort().values.diff().all())
        if differ or not _are_of_many(few):
            return Pending.at_hand(nothing)
        return Pending.at_hand(_summed(rows))
    if rows.numel() > _ELEMENTS:
        return None
    each_its_own = torch.arange(len(rows), device=rows.device)
    return on_host(torch.where(_are_of_many(few), _summed(rows), each_its_own))


def _summed(rows: Tensor) -> Tensor:
    """Whole numbers add up to the same in any order, so equal rows have equal sums."""
    bits = rows.contiguous().view(_BITS[rows.element_size()]).long()
    weights = torch.arange(1, 2 * bits.shape[1], 2, device=bits.device) * _ODD
    return (bits * weights).sum(1)


def _are_of_many(few: Tensor) -> Tensor:
    """Whether half of the rows have several different numbers, a bool."""
    ordered = few.sort(dim=1).values
    different = 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(1)
    return (different >= _DIFFERENT).float().mean() >= 0.5
