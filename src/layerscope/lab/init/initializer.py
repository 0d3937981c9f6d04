"""What an init scheme draws weights with."""

from typing import Protocol

import torch
from torch import Tensor


class Initializer(Protocol):
    """Draws one weight matrix."""

    def __call__(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Return float32 [fan_in, fan_out], drawn from the generator alone."""
        ...
