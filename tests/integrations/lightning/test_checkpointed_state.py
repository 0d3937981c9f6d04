"""What a monitor compares from look to look goes on from a checkpoint."""

import json

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from layerscope import LayerMonitor
from layerscope.diagnose.measured.figure_names import LAYER_FIGURES, STEP_FIGURES
from layerscope.events.reader import read_run
from layerscope.sinks.figures_event import figures_of
from tests.integrations.lightning.test_monitor_in_any_trainer import fit

BATCHES, EPOCHS = 3, 9  # the first of an epoch


class Net(LightningModule):
    """Trained with numbers of things, a table scaled batch by batch, and its answer in it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.things, self.first = nn.Embedding(4000, 4), nn.Linear(6, 16)
        self.head = nn.Linear(16 + 4, self.outputs)

    outputs, size = 1, 16

    stops_after = EPOCHS

    def on_train_epoch_end(self):
        self.trainer.should_stop = self.current_epoch + 1 == self.stops_after

    def forward(self, ids, x):
        return self.head(torch.cat([self.things(ids), self.first(x).tanh()], 1))

    def training_step(self, batch, batch_idx):
        ids, x, y = batch
        return self.loss(self(ids.to(torch.bfloat16).long(), x), y, batch_idx)

    def loss(self, output, y, batch_idx):
        return F.mse_loss(output, y)

    def on_before_batch_transfer(self, batch, dataloader_idx):
        ids, x, _ = batch
        x = (x - x.amin(0)) / (x.amax(0) - x.amin(0))
        return ids, x, x[:, :1].clone()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)

    def train_dataloader(self):
        generator = torch.Generator().manual_seed(1)
        count = self.size * BATCHES
        x, ids = (
            torch.randn(count, 6, generator=generator),
            torch.randint(3900, (count,), generator=generator),
        )
        return DataLoader(TensorDataset(ids, x, x[:, 0]), batch_size=self.size)


class OfClasses(Net):
    """Its classes are numbered in each batch anew."""

    outputs, size = 8, 8

    def on_before_batch_transfer(self, batch, dataloader_idx):
        ids, x, _ = batch
        return ids, x, torch.unique(ids % 8, return_inverse=True)[1]

    def loss(self, output, y, batch_idx):
        return F.cross_entropy(output, y)


class SameTargets(Net):
    """All samples have one target, and the batch is one batch."""

    outputs = 3

    def on_before_batch_transfer(self, batch, dataloader_idx):
        ids, x, _ = batch
        generator = torch.Generator().manual_seed(2)
        return ids, torch.randn(x.shape, generator=generator), torch.ones(len(x), 3)


def figures(folder):
    return figures_of(read_run(folder))


@pytest.mark.parametrize("net", [Net, OfClasses, SameTargets])
@pytest.mark.parametrize("stopped", [2])
def test_a_run_that_goes_on_knows_of_data_and_targets_what_one_knows_that_never_stopped(
    tmp_path, net, stopped
):
    fit(net(), LayerMonitor(tmp_path / "whole", images=False), max_epochs=EPOCHS)
    first = net()
    first.stops_after = stopped
    fit(first, LayerMonitor(tmp_path / "run", images=False), max_epochs=EPOCHS).save_checkpoint(
        tmp_path / "last.ckpt"
    )
    monitor = LayerMonitor(tmp_path / "run", images=False)
    fit(net(), monitor, max_epochs=EPOCHS, ckpt_path=tmp_path / "last.ckpt")
    whole, resumed = figures(tmp_path / "whole"), figures(tmp_path / "run")
    assert whole.steps.tolist() == resumed.steps.tolist() == list(range(EPOCHS * BATCHES))
    for name in COMPARED:
        np.testing.assert_array_equal(resumed[name], whole[name], err_msg=name)
    one, other = (json.loads((tmp_path / each / "diagnosis.json").read_text()) for each in RUNS)
    assert one["findings"] == other["findings"]
    told = KNOWN[net]
    assert {name: float(np.nanmax(whole[name])) for name in told} == pytest.approx(
        told, rel=1e-3, abs=1e-5
    )


RUNS = ("whole", "run")
# Of the step before a resumed one nothing is known.
OF_THE_STEP_BEFORE = {
    *("gradients_kept", "gradients_cleared", "gradients_late", "gradients_changed"),
    "gradients_divided",
}
OF_TIME = {"monitor_ms", "step_ms"}
COMPARED = {*LAYER_FIGURES, *STEP_FIGURES} - OF_THE_STEP_BEFORE - OF_TIME
KNOWN = {
    Net: {"input_by_batch": 1, "target_column": 0, "ids_rounded": 256, "targets_apart": 1},
    OfClasses: {"labels_numbered": 4.612},
    SameTargets: {"whole_set": 16, "targets_apart": 0},
}
