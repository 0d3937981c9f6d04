"""Gradients of which each process has a summand, as of a norm whose tokens are divided."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from layerscope.record.channel import Channel
from layerscope.record.distributed.shards import local_part
from layerscope.record.plan import Plan

MOST = 1 << 20
"""Elements of a gradient at most that is added up here."""

TOO_MANY = f"each process has a summand of it, of more than {MOST} elements"


class GradientSums:
    """Keeps the summands of this process until the step's merge, in which all are added up.

    Attributes:
        known: whose gradients all processes know to be such, in the same order.
    """

    def __init__(self) -> None:
        self.known: list[Channel] = []
        self.found: dict[Channel, int] = {}  # elements of each that this process knows of
        self._summands: dict[Channel, Tensor] = {}

    def take(self, channel: Channel, gradient: Tensor) -> bool:
        """Copy the summand that this process has: the optimizer will change it.

        Returns:
            False, and nothing is kept, where there are too many elements.
        """
        if gradient.numel() > MOST:
            return False
        self.found[channel] = gradient.numel()
        self._summands[channel] = local_part(gradient).double()
        return True

    @property
    def has_news(self) -> bool:
        """Whether there is one that other processes may not know of."""
        return len(self.found) > len(self.known)

    def meet(self, found: Iterable[Mapping[Channel, int]]) -> None:
        """Know what all processes have found."""
        for of_rank in found:
            self.found = {**of_rank, **self.found}
        self.known = sorted(self.found, key=lambda channel: channel.tag)

    def measure(self, plan: Plan, add_up: Callable[[Tensor], None], counts: bool) -> None:
        """Add up the gradients of this step, and measure them; one collective, none if none is
        known.

        Args:
            plan: whose rows they go into.
            add_up: replaces a tensor by its sum over the processes.
            counts: whether this process is the one to count them.
        """
        summands, self._summands = self._summands, {}
        if not self.known:
            return
        sizes = [self.found[channel] for channel in self.known]
        device = plan.parameters[0].parameter.device
        flat = torch.zeros(len(sizes) + sum(sizes), dtype=torch.float64, device=device)
        came, *parts = torch.split(flat, [len(sizes), *sizes])
        for number, (channel, part) in enumerate(zip(self.known, parts, strict=True)):
            if channel in summands:
                part += summands[channel].flatten()
                came[number] = 1
        add_up(flat)
        if not counts:
            return
        for channel, part, here in zip(self.known, parts, came.tolist(), strict=True):
            if here:
                plan.tally.add(plan.channels.index(channel), part)
