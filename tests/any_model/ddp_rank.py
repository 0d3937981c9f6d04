"""One of two processes that train together: `ddp_rank.py folder`, with Lightning's variables set.

Runs all cases one after another, each in a folder of its own, with the monitor and without it; rank
0 and rank 1 leave their weights, random states and what their monitor says in `rank_<r>.pt`.
"""

import os
import sys
from pathlib import Path

import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.nn.functional import cross_entropy

from any_model.nets import Mlp, seeded
from any_model.training import EVERYTHING, fit, random_states
from layerscope import LayerMonitor


class Exact(Mlp):
    """Small whole numbers everywhere: the first step's sums are the same in any order."""

    def __init__(self):
        super().__init__(optimizer=torch.optim.SGD, lr=2.0**-6)
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_((parameter * 8).round() / 4)

    def loss(self, batch):
        return (self.net(batch[0].round()) ** 2).sum() / len(batch[0])


class Disagreeing(Mlp):
    """A layer that only rank 0 reaches."""

    def __init__(self):
        super().__init__()
        self.side = nn.Linear(3, 3)

    def loss(self, batch):
        logits = self.net(batch[0])
        if int(os.environ.get("LOCAL_RANK", "0")) == 0:
            logits = logits + self.side(logits)
        return cross_entropy(logits, batch[1])


def joined(net, last=6):
    """Batches for both ranks together; of the last one, rank 1 has as many samples as asked."""
    *batches, (x, y) = net.batches(7, size=12)
    return [*batches, (x[: 6 + last], y[: 6 + last])]


def part_of(rank, batches):
    """Rank 0 has the first 6 samples of each batch, rank 1 the others."""
    where = slice(0, 6) if rank == 0 else slice(6, None)
    return [tuple(each[where] for each in batch) for batch in batches]


class PlantedError(Exception):
    """What is raised inside the monitor of one rank."""


def failing_on_rank_1(step):
    """A schedule that breaks on one rank at step 5, the first that is no keyframe."""
    if step == 5 and os.environ.get("LOCAL_RANK") == "1":
        raise PlantedError("planted")
    return True


CASES = {
    "exact": (Exact, 6),
    "mlp": (Mlp, 6),
    "uneven": (Mlp, 2),
    "disagreeing": (Disagreeing, 6),
    "failing": (Mlp, 6),
}


def main(folder):
    rank = int(os.environ["LOCAL_RANK"])
    left = {}
    for name, (kind, last) in CASES.items():
        for watched in (False, True):
            net = seeded(kind)
            schedule = failing_on_rank_1 if name == "failing" else None
            monitor = LayerMonitor(quantities=EVERYTHING, schedule=schedule)
            fit(
                net,
                folder / name / ("watched" if watched else "alone"),
                *[monitor] * watched,
                batches=part_of(rank, joined(net, last)),
                devices=2,
                strategy=DDPStrategy(
                    find_unused_parameters=kind is Disagreeing, process_group_backend="gloo"
                ),
                use_distributed_sampler=False,
            )
            left[name, watched] = (net.state_dict(), random_states(), monitor.failure)
    torch.save(left, folder / f"rank_{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
