from functools import partial

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR

from layerscope.lab.data import TextFileData
from layerscope.lab.init import InitScheme, variance_scaling
from layerscope.lab.language_model import LanguageModel
from layerscope.lab.mlp import MLP

# Lightning 2.6 asks torch 2.13 in a way that torch has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")

LR = 0.5
quiet = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "items.txt"
    path.write_text("".join(f"{number}-{number * 37}\n" for number in range(200)))
    data = TextFileData(path, context_length=2, batch_size=32)
    data.setup()
    return data


@pytest.fixture
def model(data):
    network = MLP(data.embedding_rows, data.context_length, len(data.vocabulary), widths=[16])
    scheme = InitScheme(variance_scaling(1.0, "fan_in", "normal"))
    scheme(network, torch.Generator().manual_seed(0))
    return LanguageModel(network, data.vocabulary, partial(SGD, lr=LR), CosineAnnealingLR)


class Record(Callback):
    """Batches and logged losses of the training, step by step."""

    def __init__(self):
        self.targets, self.losses = [], []

    def on_train_epoch_start(self, trainer, module):
        self.targets.append([])

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.targets[-1].append(batch[1])
        self.losses.append((trainer.callback_metrics["train/loss"].item(), outputs["loss"].item()))


def mean_loss_in_numpy(network, x, y):
    """Cross-entropy from its definition, in float64, over all examples at once."""
    logits = network(x).detach().double().numpy()
    log_sums = np.log(np.exp(logits).sum(axis=1))
    return (log_sums - logits[np.arange(len(y)), y.numpy()]).mean()


def test_val_and_test_loss_are_means_over_all_examples_despite_a_short_last_batch(data, model):
    trainer = Trainer(**quiet)
    for loader, evaluate, name in (
        (data.val_dataloader(), trainer.validate, "val/loss"),
        (data.test_dataloader(), trainer.test, "test/loss"),
    ):
        assert len(loader) > 1
        assert len(loader.y) % data.batch_size != 0
        (metrics,) = evaluate(model, loader, verbose=False)
        expected = mean_loss_in_numpy(model.network, loader.x, loader.y)
        assert metrics[name] == pytest.approx(expected, rel=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_mean_over_two_ranks_is_that_over_all_examples(data, model):
    loader = data.val_dataloader()
    assert len(loader.y) % 2 == 1  # an odd number is what Lightning alone would round down
    trainer = Trainer(devices=2, strategy="ddp_fork", **quiet)
    (metrics,) = trainer.validate(model, datamodule=data, verbose=False)
    expected = mean_loss_in_numpy(model.network, loader.x, loader.y)
    assert metrics["val/loss"] == pytest.approx(expected, rel=1e-5)


def test_training_lowers_the_loss_and_logs_each_steps_own(data, model):
    x, y = data.train_dataloader().x, data.train_dataloader().y
    before = mean_loss_in_numpy(model.network, x, y)
    record = Record()
    Trainer(max_epochs=3, callbacks=[record], **quiet).fit(model, datamodule=data)
    assert mean_loss_in_numpy(model.network, x, y) < 0.9 * before
    assert all(logged == returned for logged, returned in record.losses)
    assert len(record.losses) == 3 * len(data.train_dataloader())


def test_under_a_trainer_every_epoch_has_every_example_once_in_another_order(data, model):
    record = Record()
    Trainer(max_epochs=2, callbacks=[record], **quiet).fit(model, datamodule=data)
    first, second = (torch.cat(targets) for targets in record.targets)
    expected = data.train_dataloader().y.sort().values
    assert torch.equal(first.sort().values, expected)
    assert torch.equal(second.sort().values, expected)
    assert not torch.equal(first, second)


def test_the_scheduler_spans_the_whole_run_and_is_stepped_once_a_step(data, model):
    trainer = Trainer(max_epochs=2, **quiet)
    rates = []

    class Rates(Callback):
        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    trainer.callbacks.append(Rates())
    trainer.fit(model, datamodule=data)
    steps = np.arange(len(rates))
    expected = LR * (1 + np.cos(np.pi * steps / len(rates))) / 2
    np.testing.assert_allclose(rates, expected, atol=1e-9)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)


def test_without_a_scheduler_the_learning_rate_stays(data, model):
    model.make_scheduler = None
    trainer = Trainer(max_epochs=1, **quiet)
    trainer.fit(model, datamodule=data)
    assert trainer.optimizers[0].param_groups[0]["lr"] == LR


@pytest.mark.filterwarnings("ignore:`max_epochs` was not set")
def test_a_scheduler_over_a_run_without_an_end_is_refused(data, model):
    with pytest.raises(ValueError, match=r"^a scheduler needs trainer\.max_epochs or .*an end$"):
        Trainer(max_epochs=-1, **quiet).fit(model, datamodule=data)


def test_a_checkpoint_loads_with_weights_only(data, model, tmp_path):
    trainer = Trainer(max_epochs=1, **quiet)
    trainer.fit(model, datamodule=data)
    path = tmp_path / "last.ckpt"
    trainer.save_checkpoint(path)
    checkpoint = torch.load(path, weights_only=True)
    for name, tensor in model.state_dict().items():
        assert torch.equal(checkpoint["state_dict"][name], tensor)


def test_a_resumed_run_ends_with_the_weights_of_one_that_was_not_stopped(data, model, tmp_path):
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    Trainer(max_epochs=3, **quiet).fit(model, datamodule=data)
    whole = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    class Save(Callback):
        def on_train_epoch_end(self, trainer, module):
            if trainer.current_epoch == 1:
                trainer.save_checkpoint(tmp_path / "second.ckpt")

    model.load_state_dict(start)
    Trainer(max_epochs=3, callbacks=[Save()], **quiet).fit(model, datamodule=data)
    Trainer(max_epochs=3, **quiet).fit(
        model, datamodule=data, ckpt_path=tmp_path / "second.ckpt", weights_only=True
    )
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in whole.items())


def test_made_up_items_are_of_the_alphabet_and_within_the_limit(data, model):
    items = model.made_up(50, torch.Generator().manual_seed(0), limit=7)
    assert len(items) == 50
    assert all(1 <= len(item) <= 7 for item in items)
    assert set("".join(items)) == set(data.vocabulary.characters)
    assert items == model.made_up(50, torch.Generator().manual_seed(0), limit=7)


def test_making_up_items_leaves_the_mode_and_the_global_generator_as_they_were(model):
    before = torch.get_rng_state()
    for training in (True, False):
        model.network.train(training)
        model.made_up(3, torch.Generator().manual_seed(0))
        assert model.network.training == training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(parameter.grad is None for parameter in model.parameters())
