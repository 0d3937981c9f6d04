"""What is told of the layouts of tensors, on a mesh of processes of which only one is there."""

import pytest
import torch
from torch import distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from torch.nn.functional import gelu
from torch.testing._internal.distributed.fake_pg import FakeStore

from layerscope.record.distributed.copies import Copies
from layerscope.record.distributed.layouts import Layout, layouts_of

TENSOR = (2, 3)
"""The processes that divide the network, of four; this one is the second of them."""


@pytest.fixture
def mesh():
    """Collectives of these processes do nothing, so that values are none."""
    dist.init_process_group("fake", store=FakeStore(), rank=3, world_size=4)
    try:
        yield init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    finally:
        dist.destroy_process_group()


@pytest.fixture
def net(mesh):
    net = nn.ModuleDict({"up": nn.Linear(8, 6), "down": nn.Linear(6, 8), "norm": nn.LayerNorm(8)})
    plan = {"up": ColwiseParallel(), "down": RowwiseParallel(), "norm": SequenceParallel()}
    return parallelize_module(net, mesh["tensor"], plan)


@pytest.fixture
def layouts(net):
    return layouts_of(net)


X = torch.ones(2, 4, 8, requires_grad=True)


def test_a_network_that_nobody_divides_has_no_layouts(mesh):
    assert layouts_of(nn.Linear(2, 2)) is None
    assert layouts_of(fully_shard(nn.Linear(4, 4), mesh=mesh["data"])) is None


def test_parallel_styles_tell_the_processes(layouts):
    assert layouts.lines == {TENSOR}
    assert layouts.copies == 2


def test_so_do_the_parameters_of_one_that_was_divided_by_hand(mesh):
    net = nn.Linear(8, 6)
    net.weight = nn.Parameter(distribute_tensor(net.weight, mesh, [Replicate(), Shard(1)]))
    assert layouts_of(net).lines == {TENSOR}


def test_which_divides_what_must_be_told_where_fsdp_does_too(mesh):
    net = nn.Linear(8, 6)
    net.weight = nn.Parameter(distribute_tensor(net.weight, mesh["tensor"], [Shard(0)]))
    net.bias = nn.Parameter(distribute_tensor(net.bias, mesh["tensor"], [Shard(0)]))
    fully_shard(net, mesh=mesh["data"])
    with pytest.raises(ValueError, match=r"must be parallelized by .*, got weight, of which"):
        layouts_of(net)


def test_a_part_is_one_until_it_is_reduced(net, layouts):
    up = net["up"](X)
    for part in (up, gelu(up), gelu(up) + torch.ones(3)):
        assert layouts.of(part) == Layout({TENSOR: 2})
        assert layouts.of_gradient(part) == Layout({TENSOR: 2})
        assert layouts.counts_here(layouts.of(part))
        assert layouts.part(layouts.of(part), 2) == (1, 2)
        assert layouts.part(layouts.of(part), 1) == (0, 1)
    down = net["down"](gelu(up))
    for copy in (down, X * 2 + down):
        assert layouts.of(copy) == Layout()
        assert not layouts.counts_here(layouts.of(copy))


def test_a_tensor_of_the_mesh_says_it_itself(net, layouts):
    norm = net["norm"](X)
    assert isinstance(norm, DTensor)
    assert layouts.of(norm) == Layout({TENSOR: 1})


@pytest.mark.parametrize(
    "change",
    [
        lambda up: up.view(2, 4, 1, 3),
        lambda up: up.transpose(1, 2),
        lambda up: up @ torch.ones(3, 3),
        lambda up: up.sum(-1),
    ],
)
def test_where_the_axis_of_parts_cannot_be_told_they_are_parts_still(net, layouts, change):
    assert layouts.of(change(net["up"](X))) == Layout({TENSOR: None})


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.cat([x, x], -1)

    @staticmethod
    def backward(ctx, gradient):
        return gradient[..., :3]


def test_what_cannot_be_told_is_not(net, layouts, mesh):
    up = net["up"](X)
    assert "went through _Gather" in layouts.of(gelu(_Gather.apply(up))).why
    assert "has no graph" in layouts.of(up.detach()).why
    summand = DTensor.from_local(X, mesh["tensor"], [Partial()]).to_local()
    assert "partial sum" in layouts.of(summand * 2).why


def test_copies_are_compared_once_with_those_of_the_first_process(net, layouts, mesh):
    copies = Copies()
    copies.note("up", layouts, layouts.of(net["up"](X)), X)
    assert not copies.has_news
    down = net["down"](gelu(net["up"](X))) + 0
    for _ in range(2):
        copies.note("down", layouts, layouts.of(down), X)
    taken = copies.take()
    assert taken == {"down": ([TENSOR], 2.0 * X.numel(), 2.0 * X.numel())}
    assert not copies.has_news
    other = {"down": ([TENSOR], 2.0 * X.numel() + 1e-4, 2.0 * X.numel() - 1e-4)}
    copies.compare([{}, {}, other, taken])
    assert copies.differing == []
    others = [(1.9, 2.0), (2.0, 1.9)]
    for other in [{}, *({"down": ([TENSOR], *(X.numel() * x for x in each))} for each in others)]:
        copies.compare([{}, {}, other, taken])
        assert copies.differing == ["down"]
        copies.differing = []


def test_a_gradient_may_be_a_summand_where_the_output_is_a_copy(layouts, mesh):
    whole = DTensor.from_local(X, mesh["tensor"], [Replicate()])
    local = whole.to_local(grad_placements=[Partial()])
    assert layouts.of(local) == Layout()
    assert "partial sum" in layouts.of_gradient(local).why
