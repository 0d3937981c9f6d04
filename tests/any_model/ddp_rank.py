"""One of two processes that train together: `ddp_rank.py folder`, with Lightning's variables set.

Runs all cases one after another, each in a folder of its own, with the monitor and without it; rank
0 and rank 1 leave weights, random states and what their monitor says in `<case>/rank_<r>.pt`. Then
they run those of `shard_rank.py`: starting processes is what takes long.
"""

import contextlib
import os
import sys
from pathlib import Path

import torch
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.nn.functional import cross_entropy

from layerscope import LayerMonitor
from layerscope.record import Recorder
from tests.any_model import shard_rank
from tests.any_model.nets import Mlp, seeded
from tests.any_model.training import EVERYTHING, Batches, fit, random_states, trainer_for


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


class Sharded(Mlp):
    """Each process has a part of each weight."""

    def configure_model(self):
        mesh = self.device_mesh["data_parallel"] if self.device_mesh is not None else None
        for layer in (self.net[0], self.net[2], self.net[4], self.net) if mesh is not None else ():
            fully_shard(layer, mesh=mesh)


def joined(net, last=6):
    """Batches for both ranks together; of the last one, rank 1 has as many samples as asked."""
    *batches, (x, y) = net.batches(7, size=16)
    return [*batches, (x[: 8 + last], y[: 8 + last])]


def part_of(rank, batches):
    """Rank 0 has the first 8 samples of each batch, rank 1 the others."""
    where = slice(0, 8) if rank == 0 else slice(8, None)
    return [tuple(each[where] for each in batch) for batch in batches]


class PlantedError(Exception):
    """What is raised inside the monitor of one rank."""


def schedule_for(rank):
    """A schedule that breaks on one rank at step 5, the first that is no keyframe."""

    def schedule(step):
        if step == 5 and rank == 1:
            raise PlantedError("planted")
        return True

    return schedule


@contextlib.contextmanager
def gradients_break(rank):
    """Measuring the gradients of the sixth step raises, on one rank."""
    measure, calls = Recorder.measure_gradients, 0

    def breaking(*arguments):
        nonlocal calls
        calls += 1
        if rank == 1 and calls == 6:
            raise PlantedError("planted")
        return measure(*arguments)

    Recorder.measure_gradients = breaking
    try:
        yield
    finally:
        Recorder.measure_gradients = measure


def strategy_for(kind):
    if kind is Sharded:
        return ModelParallelStrategy(
            data_parallel_size=2, tensor_parallel_size=1, process_group_backend="gloo"
        )
    return DDPStrategy(find_unused_parameters=kind is Disagreeing, process_group_backend="gloo")


CASES = {
    "exact": (Exact, 8),
    "mlp": (Mlp, 8),
    "uneven": (Mlp, 2),
    "disagreeing": (Disagreeing, 8),
    "sharded": (Sharded, 8),
    "failing": (Mlp, 8),
    "failing_schedule": (Mlp, 8),
}


def main(folder):
    rank = int(os.environ["LOCAL_RANK"])
    for name, (kind, last) in CASES.items():
        left = {}
        for watched in (False, True):
            net = seeded(kind)
            schedule = schedule_for(rank) if name == "failing_schedule" else None
            monitor = LayerMonitor(quantities=EVERYTHING, schedule=schedule)
            planted = gradients_break(rank) if name == "failing" else contextlib.nullcontext()
            with planted:
                fit(
                    net,
                    folder / name / ("watched" if watched else "alone"),
                    *[monitor] * watched,
                    batches=part_of(rank, joined(net, last)),
                    devices=2,
                    strategy=strategy_for(kind),
                    use_distributed_sampler=False,
                )
            weights = {
                name: weight.to_local() if kind is Sharded else weight
                for name, weight in net.state_dict().items()
            }
            left[watched] = (weights, random_states(), monitor.failure)
        torch.save(left, folder / name / f"rank_{rank}.pt")
    resume(folder / "resumed", rank)
    shard_rank.main(folder)


def resume(folder, rank):
    """An epoch of the sharded net and, by another trainer from its checkpoint, a second one."""
    kind, last = CASES["sharded"]
    batches = Batches(part_of(rank, joined(seeded(kind), last)))
    checkpoint = folder / "one_epoch.ckpt"
    for epochs, given in ((1, None), (2, checkpoint)):
        monitor = LayerMonitor(quantities=EVERYTHING)
        trainer = trainer_for(
            folder / "watched", monitor, max_epochs=epochs, strategy=strategy_for(kind), devices=2,
            use_distributed_sampler=False,
        )  # fmt: skip
        trainer.fit(seeded(kind), batches, ckpt_path=given)
        if given is None:
            trainer.save_checkpoint(checkpoint)
    torch.save(monitor.failure, folder / f"rank_{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
