"""A Trainer whose script says nothing of LayerScope is watched if the environment asks for it."""

import tomllib
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
from torch import nn

import layerscope
from layerscope import LayerMonitor

ROOT = Path(__file__).parents[3]
GROUP = "lightning.pytorch.callbacks_factory"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The entry point of pyproject.toml, as Lightning finds it where LayerScope is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    points = project["entry-points"][GROUP]
    installed = tmp_path / "site" / "layerscope-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: layerscope\nVersion: 0\n")
    lines = [f"[{GROUP}]", *(f"{name} = {value}" for name, value in points.items())]
    (installed / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(installed.parent)
    monkeypatch.chdir(tmp_path)


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        return self.net(batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.randn(15, 4), batch_size=5)


def fit(*callbacks):
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=list(callbacks),
    )  # fmt: skip
    trainer.fit(Module())
    return [each for each in trainer.callbacks if isinstance(each, LayerMonitor)]


@pytest.mark.parametrize("value", [None, "", "0"])
def test_nothing_is_there_unless_it_is_asked_for(installed, monkeypatch, value):
    if value is None:
        monkeypatch.delenv("LAYERSCOPE", raising=False)
    else:
        monkeypatch.setenv("LAYERSCOPE", value)
    assert fit() == []


def test_the_variable_names_the_folder(installed, monkeypatch, tmp_path):
    monkeypatch.setenv("LAYERSCOPE", "mine")
    (monitor,) = fit()
    assert monitor.failure is None
    assert layerscope.read(tmp_path / "mine").figures.steps.tolist() == [0, 1, 2]


def test_a_monitor_of_the_script_s_own_is_left_alone(installed, monkeypatch, tmp_path):
    monkeypatch.setenv("LAYERSCOPE", "1")
    own, asked = fit(LayerMonitor(tmp_path / "own"))
    assert own.diagnosis is not None
    assert asked.diagnosis is None
    assert layerscope.read(tmp_path / "own").figures.steps.tolist() == [0, 1, 2]
