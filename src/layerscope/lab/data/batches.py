"""Batches cut from tensors, in an order that follows from a seed and the epoch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Order:
    """Which examples one rank sees in an epoch, and in which order.

    Every rank takes each `world_size`-th example, so the ranks' shares are disjoint and cover the
    epoch. Only where the last batch would be missing on some ranks, which would leave the others
    waiting for them, are up to `world_size - 1` examples seen twice.

    Args:
        count: examples in the epoch.
        batch_size: examples in a batch of one rank.
        seed: shuffles every epoch anew; None keeps the order.
        rank: this process, from 0.
        world_size: processes.
    """

    count: int
    batch_size: int
    seed: int | None
    rank: int = 0
    world_size: int = 1

    @property
    def share(self) -> range:
        """Return this rank's places in the epoch; a place of `count` or more wraps around."""
        in_last_step = self.count % (self.batch_size * self.world_size)
        repeated = self.world_size - in_last_step if 0 < in_last_step < self.world_size else 0
        return range(self.rank, self.count + repeated, self.world_size)

    def indices(self, epoch: int) -> Tensor:
        """Return the examples of this rank's share, int64 [len(share)].

        The shuffle follows from the seed and the epoch alone: the global generator is left as it
        is, and a resumed run goes on with the order that it would have had.
        """
        share = self.share
        places = torch.arange(share.start, share.stop, share.step) % self.count
        if self.seed is None:
            return places
        # Mixed, not added: else epoch 1 of seed 0 would have the order of epoch 0 of seed 1.
        mixed = np.random.SeedSequence((self.seed, epoch)).generate_state(1)[0]
        generator = torch.Generator().manual_seed(int(mixed))
        return torch.randperm(self.count, generator=generator)[places]


class Batches:
    """Batches (contexts int64 [B, context_length], targets int64 [B]); the last may be shorter.

    The examples are gathered once an epoch, and a batch is a view of them: nothing is collated,
    copied or drawn per step. Its state, which Lightning keeps in each checkpoint, is where it is in
    the epoch: a resumed run goes on with the batch that would have come.

    Args:
        x: contexts of all examples.
        y: targets of all examples.
        order: this rank's share.
        epoch: gives the number of the current epoch.
    """

    def __init__(self, x: Tensor, y: Tensor, order: Order, epoch: Callable[[], int]) -> None:
        self.x = x
        self.y = y
        self.order = order
        self.epoch = epoch
        self._given = 0  # batches of the epoch
        self._skipped = 0  # of the first epoch that comes: those were given before a resumption

    def state_dict(self) -> dict[str, int]:
        """How many batches of the epoch were given."""
        return {"given": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Begin the next epoch behind those that `state_dict` has told of."""
        self._skipped = state["given"] % len(self)  # all of them: the epoch is over

    def __len__(self) -> int:
        """Return the number of batches in an epoch, equal on every rank."""
        return -(-len(self.order.share) // self.order.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the epoch that it is when the first one is asked for.

        Not when the iterator is made: on resuming, Lightning makes it before it restores the epoch.
        """
        indices = self.order.indices(self.epoch())
        contexts = torch.split(self.x[indices], self.order.batch_size)
        targets = torch.split(self.y[indices], self.order.batch_size)
        self._given, self._skipped = self._skipped, 0
        for batch in list(zip(contexts, targets, strict=True))[self._given :]:
            self._given += 1
            yield batch
