"""Samples that are the same number throughout, as a cast makes of pictures that were divided."""

import torch
from torch import Tensor

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host

_SAMPLES, _FEATURES = 8, 16
"""Of fewer samples most may be so by chance; fewer features may all be 0 in earnest."""

_ELEMENTS = 2**16

_PROBED = 64
"""Numbers of each sample, which nearly always tell that none is blank."""


def blank_share(data: Tensor) -> Pending[Tensor] | None:
    """Of the first samples, [samples, ...] of at least 16 numbers each, the share that has the same
    number everywhere, one number for all of them; None of fewer samples or numbers. 0 where each
    sample is one number: that says which it is.
    """
    if data.ndim < 2 or len(data) < _SAMPLES or data[0].numel() < _FEATURES:
        return None
    few = data.detach()[: max(_SAMPLES, _ELEMENTS // data[0].numel())].flatten(1)
    if few.is_cpu:
        probed = few[:, :: max(1, few.shape[1] // _PROBED)]
        if not (probed[:, :1] == probed).all(1).any():
            return Pending.at_hand(torch.zeros(()))
    low, high = few.aminmax(dim=1)
    is_blank = low == high
    number = torch.where(is_blank, low, torch.nan).nanmedian()
    share = (is_blank & (low == number)).float().mean()
    return on_host(share.masked_fill(is_blank.all(), 0.0))
