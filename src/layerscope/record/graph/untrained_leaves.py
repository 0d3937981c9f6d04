"""What a loss is made of that wants a gradient, and that nobody ever moves."""

import weakref
from collections.abc import Callable, Collection, Iterable

import torch
from torch import Tensor

_MOST = 64
"""Leaves that are followed: a loss makes numbers anew at each step, say."""


class UntrainedLeaves:
    """Follows small leaves of a loss from look to look, such as the weights of its terms: a tensor
    beside the network, or a parameter of the loss's own module, is in no `model.parameters()`.
    """

    def __init__(self) -> None:
        # By `id`: the leaf, what it was when it was first seen, and whether it was seen again.
        self._seen: dict[int, tuple[weakref.ref[Tensor], Tensor, bool]] = {}

    def note(self, leaves: Iterable[Tensor]) -> None:
        """A loss that is looked at is made of these."""
        for leaf in leaves:
            known = self._seen.get(id(leaf))
            if known is not None and known[0]() is leaf:
                self._seen[id(leaf)] = (*known[:2], True)
            elif known is not None or len(self._seen) < _MOST:
                self._seen[id(leaf)] = weakref.ref(leaf), leaf.detach().clone(), False

    def count(self, owned: Callable[[], Collection[int]]) -> int:
        """How many are still what they were, of those that no optimizer has: waits for their
        device, where there are any.

        Args:
            owned: ids of the parameters that optimizers have; asked only where it matters.
        """
        self._seen = {key: known for key, known in self._seen.items() if known[0]() is not None}
        again = {key: known for key, known in self._seen.items() if known[2]}
        if not again:
            return 0
        left = again.keys() - set(owned())
        return sum(_is_as_it_was(*again[key][:2]) for key in left)


def _is_as_it_was(leaf: weakref.ref[Tensor], first: Tensor) -> bool:
    now = leaf()
    return now is not None and now.shape == first.shape and torch.equal(now.detach(), first)
