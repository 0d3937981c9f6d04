"""Is there memory for a network of this size?"""

import os

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
