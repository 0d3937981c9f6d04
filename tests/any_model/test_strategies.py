"""Strategies that make other parameters of a layer's are refused before training starts."""

import pytest
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy
from torch import nn

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
