"""The norm of all gradients, as an optimizer gets them."""

import math

import torch
from torch import Tensor, nn


def gradient_norm(network: nn.Module) -> float:
    """Of all parameters' gradients together, with a scaler's factor where they still have it.

    NaN where there are none, or where a process has parts of them only.
    """
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    if not gradients or any(type(g) is not Tensor or g.is_sparse for g in gradients):
        return math.nan
    return float(torch.nn.utils.get_total_norm(gradients))  # device to host, where there is one
