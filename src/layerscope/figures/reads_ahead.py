"""Whether a convolution along time reads what comes after a place."""

from torch import nn


def reads_ahead(module: nn.Module) -> bool:
    """Whether it is a `Conv1d` that keeps the length, and pads both ends alike: a place reads as
    many behind it as before it. One that pads more gives more places than it gets, of which the
    last may be cut off, so that none reads ahead.

    >>> reads_ahead(nn.Conv1d(1, 8, 3, padding=1)), reads_ahead(nn.Conv1d(1, 8, 3, padding=2))
    (True, False)
    """
    if not isinstance(module, nn.Conv1d) or module.stride != (1,) or module.kernel_size == (1,):
        return False
    reach = module.dilation[0] * (module.kernel_size[0] - 1)
    return module.padding == "same" or 2 * int(module.padding[0]) == reach
