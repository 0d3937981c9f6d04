"""One of several processes that train one sharded network in a loop of their own, under `watch`.

`shard_rank.py folder`, with torchrun's variables set: runs the cases of its number of processes,
each in a folder of its own, watched and alone; every rank leaves in `<case>/rank_<r>.pt` its part
of the weights of both, and what its watcher says of a failure.
"""

import functools
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

import layerscope
from tests.any_model import tensor_rank

QUANTITIES = ("activation", "activation_grad", "weight_grad", "weight", "update")
SAMPLES, STEPS = 8, 6


class PlantedError(Exception):
    """What is raised inside the monitor of one rank."""


def network():
    """Small fractions of two everywhere, so that sums are the same in any order; of the last weight
    all ranks but the first have an empty shard.
    """
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 1))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_((parameter * 8).round() / 4)
    return net


def batches(parts):
    """What all parts of the data get together."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(SAMPLES * parts, 4, generator=generator).round() for _ in range(STEPS)]


def validate(net, x):
    """It leaves FSDP's root with whole parameters."""
    net.eval()
    with torch.no_grad():
        net(x)
    net.train()


def train(net, given, folder=None, optimizers=1, **settings):
    """Adam on these batches, and SGD on every second parameter if there are two optimizers; the
    watcher, or None if nobody watches.
    """
    parameters = list(net.parameters())
    trainers = [torch.optim.Adam(parameters[::optimizers], lr=0.01)]
    if optimizers == 2:
        trainers.append(torch.optim.SGD(parameters[1::2], lr=0.01))
    validate(net, given[0])
    watcher = None
    if folder is not None:
        options = {"quantities": QUANTITIES, "biases": True, "updates_every_n_steps": 2}
        watcher = layerscope.watch(net, folder, summary=False, **options, **settings).start()
    for step, x in enumerate(given):
        loss = (net(x) ** 2).mean()
        loss.backward()
        for optimizer in trainers:
            optimizer.step()
        net.zero_grad()
        if watcher is not None:
            watcher.step(loss)
        if step == 2:
            validate(net, x)
    if watcher is not None:
        watcher.close()
    return watcher


def shard(net, mesh):
    for layer in (net[0], net[2], net[4]):
        fully_shard(layer, mesh=mesh)
    return fully_shard(net, mesh=mesh)


def breaks_on_rank_1(step):
    """A schedule that breaks on one rank."""
    if step == 5 and dist.get_rank() == 1:
        raise PlantedError("planted")
    return True


class Case(NamedTuple):
    """How a network is divided, and trained; of `data` groups of processes, each has its own part
    of each batch.
    """

    divide: Callable[[nn.Module, DeviceMesh], nn.Module]
    names: tuple[str, ...]
    data: int
    network: Callable[[], nn.Module] = network
    settings: Mapping[str, Any] = MappingProxyType({})


TENSOR, SEQUENCE = tensor_rank.Network, functools.partial(tensor_rank.Network, normalizes=True)
FAILING = {"schedule": breaks_on_rank_1}
BROKEN_OFF = "broken_off"
CASES = {
    2: {
        "fsdp": Case(shard, ("shard",), 2),
        "fsdp_two_optimizers": Case(shard, ("shard",), 2, settings={"optimizers": 2}),
        "fsdp_failing": Case(shard, ("shard",), 2, settings=FAILING),
        "tensor": Case(tensor_rank.tensor, ("tensor",), 1, TENSOR),
        "sequence": Case(tensor_rank.sequence, ("tensor",), 1, SEQUENCE),
        "tensor_failing": Case(tensor_rank.tensor, ("tensor",), 1, TENSOR, FAILING),
    },
    4: {
        "hsdp": Case(shard, ("replicate", "shard"), 4),
        "fsdp_and_tensor": Case(tensor_rank.both, ("data", "tensor"), 2, TENSOR),
    },
}


def local(parameter):
    return (parameter.to_local() if isinstance(parameter, DTensor) else parameter).detach()


def main(folder):
    rank, ranks = dist.get_rank(), dist.get_world_size()
    for name, case in CASES[ranks].items():
        sizes = (2,) * len(case.names)
        part = rank * case.data // ranks
        mine = [x[SAMPLES * part : SAMPLES * (part + 1)] for x in batches(case.data)]
        mesh = init_device_mesh("cpu", sizes, mesh_dim_names=case.names)
        left = {}
        for watched in (False, True):
            net = case.divide(case.network(), mesh)
            watcher = train(net, mine, folder / name if watched else None, **case.settings)
            left[watched] = [local(parameter) for parameter in net.parameters()]
        torch.save((left, watcher.failure), folder / name / f"rank_{rank}.pt")
    if ranks == 2:
        mine = [x[SAMPLES * rank : SAMPLES * (rank + 1)] for x in batches(2)]
        break_off(shard(network(), init_device_mesh("cpu", (2,))), mine, folder / BROKEN_OFF)


def break_off(net, given, folder):
    """The training of rank 1 raises after its third step, and the process ends; the other one's
    next collective fails. Nothing can be run afterwards.
    """
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    try:
        with layerscope.watch(net, folder, summary=False) as watcher:
            for step, x in enumerate(given):
                loss = (net(x) ** 2).mean()
                if step == 3 and dist.get_rank() == 1:
                    raise PlantedError("planted")
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                watcher.step(loss)
    except Exception as error:
        print(type(error).__name__, error)
        torch.save((step, watcher.failure), folder / f"rank_{dist.get_rank()}.pt")
        os._exit(0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    main(Path(sys.argv[1]))
    dist.destroy_process_group()
