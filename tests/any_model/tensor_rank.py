"""A network that tensor parallelism divides, in several ways, for `shard_rank` to train."""

import torch
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    PrepareModuleInput,
    PrepareModuleOutput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from torch.nn.functional import relu

TOKENS = 4


class Network(nn.Module):
    """In float64, since processes add up in another order than one alone.

    `up` is divided by its units, its function is none of a module, and `down` is divided by what it
    gets; `first`, `gate` and `head` are everybody's.
    """

    def __init__(self, normalizes=False):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(4, 8)
        self.norm = nn.LayerNorm(8) if normalizes else nn.Identity()
        self.up, self.gate = nn.Linear(8, 12), nn.Linear(8, 12)
        self.act = nn.ReLU()
        self.down, self.head = nn.Linear(12, 8), nn.Linear(8, 2)
        with torch.no_grad():
            if normalizes:
                self.norm.bias.fill_(0.5)
            self.up.bias[::5] = -64.0  # never active
        self.double()

    def forward(self, x):
        h = self.first(x.double().view(-1, TOKENS, 4))
        n = self.norm(h)
        h = h + self.down(relu(self.up(n)) + self.act(self.gate(n)))
        return self.head(h)


TENSOR = {"up": ColwiseParallel, "gate": ColwiseParallel, "down": RowwiseParallel}


def tensor(net, mesh):
    """Only the block is divided."""
    plan = {name: style() for name, style in TENSOR.items()}
    return parallelize_module(net, mesh, plan)


def sequence(net, mesh):
    """Outside of the block each process has a part of the tokens; `up` gives a DTensor."""
    plan = {
        "first": PrepareModuleOutput(output_layouts=Replicate(), desired_output_layouts=Shard(1)),
        "norm": SequenceParallel(),
        "up": ColwiseParallel(input_layouts=Shard(1)),
        "gate": ColwiseParallel(input_layouts=Shard(1)),
        "down": RowwiseParallel(output_layouts=Shard(1)),
        "head": PrepareModuleInput(
            input_layouts=Shard(1), desired_input_layouts=Replicate(), use_local_output=True
        ),
    }
    return parallelize_module(net, mesh, plan)


def both(net, mesh):
    """FSDP shards what tensor parallelism has divided."""
    tensor(net, mesh["tensor"])
    for layer in (net.first, net.up, net.gate, net.down, net.head):
        fully_shard(layer, mesh=mesh["data"])
    return fully_shard(net, mesh=mesh["data"])
