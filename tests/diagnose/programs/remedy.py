"""A remedy as a small change of a training."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


class ByHandError(Exception):
    """What is to be changed is written in a forward or in a loop, where a program cannot."""


@dataclass
class Remedy:
    """What is done to a training.

    Attributes:
        network: to a network before it trains.
        optimizer: to an optimizer before its first step, given the network.
        each_step, after_step: before each step of an optimizer and after it, likewise.
        losses: by name in torch.nn.functional, what is computed in its place: `loss_remedies`.
        around: makes a context manager of what is patched while the program runs.
        sign: -1 where backward is to start from minus the loss.
        beside: what is added to the loss, given the network.
        comparable: whether a loss with it and one without measure the same. If not, a training
            has to fall by itself.
        in_evaluation: whether the loss is that of the last batches in evaluation mode.
        again: what to try if the finding is not gone.
        treats: False where the training is only measured as one with the remedy is.
    """

    network: Any = None
    optimizer: Any = None
    each_step: Any = None
    after_step: Any = None
    losses: Mapping[str, Any] = field(default_factory=dict)
    around: Callable[[], Any] = contextlib.nullcontext
    sign: float = 1.0
    beside: Any = None
    comparable: bool = True
    in_evaluation: bool = False
    again: "Remedy | None" = None
    treats: bool = True

    @property
    def measure(self) -> "Remedy":
        """No remedy, and the same measure."""
        return Remedy(losses=self.losses, sign=self.sign, treats=False)
