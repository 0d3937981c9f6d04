"""A module of Lightning's may change gradients after its callbacks have seen them."""

import lightning.pytorch as pl
import torch
from torch import nn

from layerscope import LayerMonitor


class Classifier(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.net.parameters(), 0.05)


class Cleared(Classifier):
    def on_before_optimizer_step(self, optimizer):
        optimizer.zero_grad(set_to_none=False)


class Removed(Classifier):
    def on_before_optimizer_step(self, optimizer):
        optimizer.zero_grad()


class Clipped(Classifier):
    def on_before_optimizer_step(self, optimizer):
        nn.utils.clip_grad_norm_(self.net.parameters(), 1e-5)


class Looking(Classifier):
    def on_before_optimizer_step(self, optimizer):
        self.log("norm", self.net[0].weight.grad.norm())


def first_finding(kind, folder):
    """Of a hundred steps; None without a warning."""
    torch.manual_seed(0)
    module, x = kind(), torch.randn(100, 32, 8)
    batches = list(zip(x, x[..., :4].argmax(-1), strict=True))
    monitor = LayerMonitor(images=False, log_dir=str(folder))
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        callbacks=[monitor],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, torch.utils.data.DataLoader(batches, batch_size=None))
    assert monitor.failure is None
    told = monitor.diagnosis["findings"]
    return next((each for each in told if each["severity"] != "note"), None)


def test_gradients_that_are_cleared_in_the_modules_own_hook_are_told(tmp_path):
    for kind in (Cleared, Removed):
        told = first_finding(kind, tmp_path / kind.__name__)
        assert told["rule"] == "no_gradient"
        assert "its gradient is gone when the optimizer takes its step" in told["explanation"]


def test_gradients_that_are_clipped_in_the_modules_own_hook_are_told(tmp_path):
    assert first_finding(Clipped, tmp_path)["rule"] == "clipped_too_far"


def test_a_hook_that_only_looks_at_gradients_is_no_disease(tmp_path):
    assert first_finding(Looking, tmp_path) is None
