"""Has this machine what a training asks for: the memory, and the accelerator?"""

import os

import torch

from layerscope.arguments import one_of

_BYTES = 2 * 4  # of a parameter: itself and its gradient, float32


def require_memory(parameters: int, argument: str) -> None:
    """Refuse a network that this machine cannot hold, before a page of it is asked for.

    What is asked for is the least that a training takes: weights and gradients, without the
    optimizer's state and the activations. A machine that does not tell its memory refuses nothing.

    Args:
        argument: that makes them so many.

    Raises:
        ValueError: their weights and gradients take more than all of the machine's memory.
    """
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return
    if (needed := parameters * _BYTES) > there:
        raise ValueError(
            f"{argument} must make a network that fits into the {there / 1e9:.1f} GB of this "
            f"machine, got one of {parameters:,} parameters, which needs {needed / 1e9:.1f} GB"
        )


_CHOICES = ("auto", "cpu", "cuda", "mps")


def require_accelerator(accelerator: str) -> None:
    """Refuse an accelerator that this machine does not have, before any work is done.

    Raises:
        ValueError: an unknown or missing accelerator, in one sentence with the way out.
    """
    one_of(_CHOICES, accelerator=accelerator)
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(accelerator, True):
        raise ValueError(
            f"accelerator={accelerator} needs a device that torch {torch.__version__} does not "
            "find on this machine: use accelerator=cpu"
        )
