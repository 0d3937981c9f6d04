"""Weights of losses that are learned: where nothing holds them, which way they go."""

from collections.abc import Sequence

import torch
from torch import Tensor

from layerscope.measure.pending import NO, Pending
from layerscope.measure.pinned_ring import on_host


class LearnedWeights:
    """Compares them with what they were at the first look."""

    def __init__(self) -> None:
        self._first: dict[int, Tensor] = {}

    def compare(self, free: Sequence[tuple[Tensor, bool]]) -> Pending[bool] | None:
        """Whether all elements of one have moved the way that makes the loss small since the first
        look; None without any.

        Args:
            free: small leaves, and whether each multiplies losses as it is: then that way is down,
                else it is against the gradient.
        """
        if not free:
            return None
        weights, plain = free[0]
        now = weights.detach().clone()
        first = self._first.setdefault(id(weights), now)
        slope = torch.ones_like(now) if plain else weights.grad
        if first is now or slope is None or first.shape != now.shape:
            return NO
        return on_host(((now - first) * slope < 0).all()).then(bool)
