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
    every = parameters_of(network).values()
    gradients = [gradient for each in every if (gradient := each.grad) is not None]
    if not gradients or any(type(g) is not Tensor or g.is_sparse for g in gradients):
        return NONE
    device = gradients[0].device
    with torch.no_grad():
        each = [norm.to(device) for norm in torch._foreach_norm(gradients)]
        return on_host(torch.linalg.vector_norm(torch.stack(each))).then(float)
