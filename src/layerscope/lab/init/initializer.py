"""What an init scheme draws weights with, and what it says of them beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a prediction asks for variances alone, and does not wait for PyTorch
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Initializer:
    """A distribution of weight matrices of mean 0.

    Args:
        draw: called with (fan_in, fan_out, generator): a float32 matrix [fan_in, fan_out], drawn
            from the generator alone.
        variance: called with (fan_in, fan_out): of one entry.
        orthonormal: whether columns, or rows if they are fewer, are orthonormal but for a factor.
    """

    draw: Callable[[int, int, torch.Generator], Tensor]
    variance: Callable[[int, int], float]
    orthonormal: bool = False

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Return float32 [fan_in, fan_out], drawn from the generator alone."""
        return self.draw(fan_in, fan_out, generator)
