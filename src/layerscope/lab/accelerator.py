"""Is the accelerator that was asked for there?"""

import torch

_CHOICES = ("auto", "cpu", "cuda", "mps")


def require_accelerator(accelerator: str) -> None:
    """Refuse an accelerator that this machine does not have, before any work is done.

    Raises:
        ValueError: an unknown or missing accelerator, in one sentence with the way out.
    """
    if accelerator not in _CHOICES:
        raise ValueError(f"accelerator must be one of {', '.join(_CHOICES)}, got {accelerator!r}")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(accelerator, True):
        raise ValueError(
            f"accelerator={accelerator} needs a device that torch {torch.__version__} does not "
            "find on this machine: use accelerator=cpu"
        )
