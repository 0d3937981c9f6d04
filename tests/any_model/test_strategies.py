"""Strategies that cut parameters into pieces are refused before training starts."""

import pytest
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy

from layerscope import LayerMonitor
from tests.any_model.nets import Mlp, seeded
from tests.any_model.training import trainer_for


@pytest.mark.parametrize("kind", [FSDPStrategy, DeepSpeedStrategy, ModelParallelStrategy])
def test_sharded_parameters_are_refused_in_one_sentence(tmp_path, kind):
    """A Trainer makes these strategies only where there are GPUs; the callback sees them here."""
    trainer, monitor = trainer_for(tmp_path), LayerMonitor()
    trainer._accelerator_connector.strategy = kind.__new__(kind)
    with pytest.raises(ValueError, match=kind.__name__) as refused:
        monitor.setup(trainer, seeded(Mlp), stage="fit")
    assert "\n" not in str(refused.value)
