"""Which share of the places of its input a convolution never reads."""

import math

from torch import nn

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def skipped_places(module: nn.Module) -> float:
    """Share of the places of a convolution's input that lie between its windows: it reads, along
    each axis, those whose remainder by the stride one of the kernel's elements has. 0 of any other
    module.

    An axis with a kernel of 1 is left out: to take every second place is what a shortcut does
    beside a block that halves its places (He et al. 2016, Deep Residual Learning, section 3.3).

    >>> skipped_places(nn.Conv2d(1, 8, 2, stride=6)), skipped_places(nn.Conv1d(4, 4, 3, stride=2))
    (0.8888888888888888, 0.0)
    """
    if not isinstance(module, _CONVOLUTIONS):
        return 0.0
    axes = zip(module.kernel_size, module.stride, module.dilation, strict=True)
    read = (
        len({element * apart % stride for element in range(size)}) / stride
        for size, stride, apart in axes
        if size > 1
    )
    return 1 - math.prod(read)
