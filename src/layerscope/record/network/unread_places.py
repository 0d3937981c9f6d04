"""Which share of what it gets a convolution never reads, where its stride is beyond its kernel."""

import math

from torch import nn


def unread_share(module: nn.Module) -> float:
    """Share of the places, along all axes, that no kernel's weight ever comes to; 0 of any other
    module. A transposed convolution reads all.
    """
    if not isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        return 0.0
    read = (
        len({dilation * place % stride for place in range(size)}) / stride
        for size, stride, dilation in zip(
            *(module.kernel_size, module.stride, module.dilation), strict=True
        )
    )
    return 1 - math.prod(read)
