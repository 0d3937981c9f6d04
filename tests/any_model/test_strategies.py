"""Strategies that make other parameters of a layer's are refused before training starts."""

import pytest
import torch
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy
from torch import distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

from layerscope import LayerMonitor, watch
from tests.any_model.nets import Mlp, seeded
from tests.any_model.training import trainer_for


@pytest.mark.parametrize("kind", [FSDPStrategy, DeepSpeedStrategy])
def test_parameters_that_are_no_layers_own_are_refused_in_one_sentence(tmp_path, kind):
    """A Trainer makes these strategies only where there are GPUs; the callback sees them here."""
    trainer, monitor = trainer_for(tmp_path), LayerMonitor()
    trainer._accelerator_connector.strategy = kind.__new__(kind)
    with pytest.raises(ValueError, match=kind.__name__) as refused:
        monitor.setup(trainer, seeded(Mlp), stage="fit")
    assert "\n" not in str(refused.value)


class FullyShardedDataParallel(nn.Sequential):
    """As torch's is called; its own can be made only among processes."""


def test_what_fsdp1_wraps_is_refused_by_watch(tmp_path):
    net = nn.Sequential(FullyShardedDataParallel(nn.Linear(2, 2)))
    with pytest.raises(
        ValueError, match=r"must be sharded by torch\.distributed\.fsdp\.fully_shard"
    ):
        watch(net, tmp_path).start()


@pytest.fixture
def mesh():
    """Of this process alone, with the names of two dimensions."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield init_device_mesh("cpu", (1, 1), mesh_dim_names=("data", "tensor"))
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize("with_fsdp", [False, True])
def test_tensor_parallelism_of_one_process_is_measured_as_the_whole(tmp_path, mesh, with_fsdp):
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    plan = {"0": ColwiseParallel(output_layouts=Replicate())}
    parallelize_module(net, mesh["tensor"], plan)
    if with_fsdp:
        fully_shard(net, mesh=mesh["data"])
    assert_first_weight_is_measured(net, tmp_path, last=1)


def test_a_shard_of_one_process_is_the_whole(tmp_path, mesh):
    net = fully_shard(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), mesh=mesh["data"])
    assert_first_weight_is_measured(net, tmp_path, last=0)


def assert_first_weight_is_measured(net, folder, last):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with watch(net, folder, summary=False) as watcher:
        net(torch.ones(3, 4)).sum().backward()
        optimizer.step()
        watcher.step()
    assert watcher.diagnosis["not_measured"] == []
    layers = watcher.diagnosis["steps"][-1]["layers"]
    assert len(layers) == last + 1
    assert layers[0]["layer"] == "00_relu"
    rms = float(net[0].weight.full_tensor().detach().square().mean().sqrt())
    assert layers[0]["weight"]["rms"] == pytest.approx(rms, rel=1e-6)
