"""What a device can do for measuring."""

import importlib.util
import warnings
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


def knows_float64(device: torch.device) -> bool:
    """Whether a device can count as exactly as is promised: MPS and some XPUs cannot."""
    try:
        torch.ones(2, dtype=torch.float64, device=device).sum()
    except (TypeError, RuntimeError):  # NotImplementedError, which backends raise, is of these
        return False
    return True


def compiled_if_possible(
    device: torch.device, compiled: Callable[[], T], plain: Callable[[], T]
) -> T:
    """What Triton has compiled for a CUDA device, else what does the same in plain torch.

    Args:
        compiled: makes it with Triton; may raise anything.
        plain: makes it without.
    """
    if device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return plain()
    try:
        return compiled()
    except Exception as error:  # no C compiler, an old GPU: slower figures are better than none
        warnings.warn(
            f"Triton cannot compile for {torch.cuda.get_device_name(device)} "
            f"({type(error).__name__}: {error}); measuring with plain torch, which is slower",
            stacklevel=3,
        )
        return plain()
