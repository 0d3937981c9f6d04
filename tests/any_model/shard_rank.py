"""One of several processes that train one sharded network in a loop of their own, under `watch`.

`shard_rank.py folder`, with torchrun's variables set: runs the cases of its number of processes, one
after another, each in a folder of its own, watched and alone; every rank leaves its weights and what
its watcher says in `<case>/rank_<r>.pt`.
"""

import os
import sys
from pathlib import Path

import torch
from torch import distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import layerscope

QUANTITIES = ("activation", "activation_grad", "weight_grad", "weight", "update")
STEPS = 6


def network():
    """Small whole numbers everywhere: the first step's sums are the same in any order."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 1)
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_((parameter * 8).round() / 4)
    return net


def batches(ranks):
    """What all ranks get together, 8 samples each."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(8 * ranks, 4, generator=generator).round() for _ in range(STEPS)]


def train(net, given, folder=None, before=None, **settings):
    """SGD on these batches; the watcher, or None if nobody watches."""
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    net.eval()
    with torch.no_grad():
        net(given[0])
    net.train()
    watcher = None
    if folder is not None:
        watcher = layerscope.watch(
            net, folder, quantities=QUANTITIES, biases=True, summary=False, **settings
        ).start()
    for step, x in enumerate(given):
        if before is not None:
            before(step)
        loss = (net(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if watcher is not None:
            watcher.step(loss)
        if step == 2:  # a validation leaves FSDP's root with whole parameters
            net.eval()
            with torch.no_grad():
                net(x)
            net.train()
    if watcher is not None:
        watcher.close()
    return watcher


def sharded(net, mesh):
    for layer in (net[0], net[2], net[3], net[5]):
        fully_shard(layer, mesh=mesh)
    return fully_shard(net, mesh=mesh)


def main(folder):
    dist.init_process_group("gloo")
    torch.set_num_threads(1)
    rank, ranks = dist.get_rank(), dist.get_world_size()
    mesh = init_device_mesh("cpu", (ranks,))
    mine = [x[8 * rank : 8 * rank + 8] for x in batches(ranks)]
    where = folder / "fsdp"
    left = {}
    for watched in (False, True):
        net = sharded(network(), mesh)
        watcher = train(net, mine, where if watched else None)
        left[watched] = [parameter.to_local().detach() for parameter in net.parameters()]
    torch.save((left, watcher.failure), where / f"rank_{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
