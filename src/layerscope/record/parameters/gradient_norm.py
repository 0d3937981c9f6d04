"""The norm of all gradients, as an optimizer gets them."""

import math

import torch
from torch import Tensor, nn

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.network.parts import parameters_of

NONE = Pending.at_hand(math.nan)


def gradient_norm(network: nn.Module) -> Pending[float]:
    """Of all parameters' gradients together, with a scaler's factor where they still have it.

    NaN where there are none, or where a process has parts of them only; from a CUDA device it comes
    later.
    """
    every = (each.grad for each in parameters_of(network).values())
    gradients = [gradient for gradient in every if gradient is not None]
    if not gradients or any(type(g) is not Tensor or g.is_sparse for g in gradients):
        return NONE
    return on_host(torch.nn.utils.get_total_norm(gradients)).then(float)
