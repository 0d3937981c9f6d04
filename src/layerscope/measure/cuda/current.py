"""Which device is launched on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def current(device: torch.device) -> AbstractContextManager[object]:
    """Make a device the current one, where Triton launches: in a backward pass it may be another.

    The CPU, under Triton's interpreter, needs no such thing.
    """
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
