"""Fitting twice, validating between, being interrupted, resuming: each step is written once."""

import copy
import io
import signal

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from layerscope import LayerMonitor
from layerscope.events.reader import read_run
from layerscope.training.checkpoint_file import RandomState
from tests.any_model.nets import Mlp, make, seeded
from tests.any_model.training import Batches, figures, fit, seed_all, trainer_for

pytestmark = [
    # What a resumed run's ModelCheckpoint finds there is what it is to go on from.
    pytest.mark.filterwarnings("ignore:Checkpoint directory:UserWarning")
]


def steps_written(folder):
    """Of every tag, each step as often as it was written."""
    run = read_run(folder)
    tables = (run.histograms, run.scalars, run.tensors)
    return {tag: series.steps.tolist() for table in tables for tag, series in table.items()}


def assert_each_step_once(folder, count):
    written = steps_written(folder)
    assert written["activation/00_tanh"] == list(range(count))
    for tag, steps in written.items():
        assert steps == sorted(set(steps)), tag


def hooks_of(net):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules())


def test_a_trainer_that_fits_twice_goes_on_where_it_was(tmp_path):
    net, monitor = seeded(Mlp), LayerMonitor()
    trainer = fit(net, tmp_path, monitor)
    trainer.fit_loop.max_epochs = 2
    trainer.fit(net, *[Batches(net.batches())] * 2)
    assert trainer.global_step == 12
    assert_each_step_once(tmp_path, 12)
    assert [step["step"] for step in monitor.diagnosis["steps"]][-1] == 11


def test_validation_and_prediction_between_two_fits_are_not_measured(tmp_path):
    net, monitor = seeded(Mlp), LayerMonitor()
    trainer = fit(net, tmp_path, monitor)
    before = steps_written(tmp_path)
    data = Batches(net.batches())
    options = {"limit_val_batches": 1.0}
    other = trainer_for(tmp_path, monitor, **options)
    other.validate(net, data, verbose=False)
    other.predict(net, data)
    assert steps_written(tmp_path) == before
    trainer.fit_loop.max_epochs = 2
    trainer.fit(net, data, data)
    assert_each_step_once(tmp_path, 12)
    assert set(figures(tmp_path)["activation_count"][:, 0]) == {48}


def test_a_forward_pass_in_eval_mode_within_a_training_step_is_not_counted(tmp_path):
    class Peeking(Mlp):
        def training_step(self, batch, batch_idx):
            self.eval()
            with torch.no_grad():
                self.loss(batch)
            self.train()
            return self.loss(batch)

    fit(seeded(Peeking), tmp_path, LayerMonitor())
    assert set(figures(tmp_path)["activation_count"][:, 0]) == {48}


@pytest.fixture
def interrupts():
    """Lightning ignores Ctrl-C once it has seen one; this process should not."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


class Interrupted(Mlp):
    """Ctrl-C in the middle of one step, after the forward pass."""

    at = 8

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        if self.global_step == self.at:
            raise KeyboardInterrupt
        return loss


def test_after_ctrl_c_the_files_are_whole_and_the_hooks_are_gone(tmp_path, interrupts):
    net, monitor = seeded(Interrupted), LayerMonitor()
    with pytest.raises(SystemExit):
        fit(net, tmp_path, monitor, max_epochs=2)
    assert hooks_of(net) == 0
    assert monitor.failure is None
    run = read_run(tmp_path)
    assert run.torn_bytes == 0
    assert_each_step_once(tmp_path, 9)  # the last one as far as it went
    assert monitor.diagnosis["steps"][-1]["step"] == 8
    assert monitor.diagnosis["steps"][-1]["incomplete"]


def resuming(folder, **options):
    keep = ModelCheckpoint(folder / "checkpoints", save_last=True)
    return trainer_for(folder, LayerMonitor(), keep, enable_checkpointing=True, **options)


def test_a_run_resumed_into_its_folder_is_as_one_that_was_never_interrupted(tmp_path, interrupts):
    whole, folder = tmp_path / "whole", tmp_path / "parts"
    fit(seeded(Mlp), whole, LayerMonitor(), max_epochs=3)

    keep = ModelCheckpoint(folder / "checkpoints", save_last=True)
    net = seeded(Interrupted)
    with pytest.raises(SystemExit):
        fit(net, folder, LayerMonitor(), keep, max_epochs=3, enable_checkpointing=True)
    trainer = resuming(folder, max_epochs=3)
    seed_all()
    path = str(folder / "checkpoints" / "last.ckpt")
    trainer.fit(seeded(Mlp), *[Batches(net.batches())] * 2, ckpt_path=path)

    one, other = figures(whole), figures(folder)
    assert one.steps.tolist() == other.steps.tolist() == list(range(18))
    for figure in ("activation_mean", "activation_grad_rms", "weight_grad_rms", "loss"):
        np.testing.assert_array_equal(one[figure], other[figure], err_msg=figure)


def test_steps_that_run_again_after_a_resumption_are_written_once(tmp_path, interrupts):
    keep = ModelCheckpoint(tmp_path / "checkpoints", save_last=True)
    net = seeded(Interrupted)
    with pytest.raises(SystemExit):
        fit(net, tmp_path, LayerMonitor(), keep, max_epochs=2, enable_checkpointing=True)
    trainer = resuming(tmp_path, max_epochs=2)
    path = str(tmp_path / "checkpoints" / "last.ckpt")
    trainer.fit(seeded(Mlp), *[Batches(net.batches())] * 2, ckpt_path=path)
    assert_each_step_once(tmp_path, 12)


class Resumable(Batches):
    """A loader that knows where it is, as torchdata's stateful one does."""

    given = skipped = 0

    def __iter__(self):
        self.given, self.skipped = self.skipped, 0
        for batch in self.batches[self.given :]:
            self.given += 1
            yield batch

    def state_dict(self):
        return {"given": self.given}

    def load_state_dict(self, state):
        self.skipped = state["given"] % len(self.batches)


class Dies(pl.Callback):
    """Saves a checkpoint after the third batch, and the training dies."""

    def __init__(self, path):
        self.path = path

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if batch_idx == 2:
            trainer.save_checkpoint(self.path)
            raise RuntimeError("planted")


def test_a_gan_that_is_resumed_within_an_epoch_goes_on_to_the_same_figures(tmp_path):
    whole, folder, path = tmp_path / "whole", tmp_path / "parts", tmp_path / "a.ckpt"
    batches = make("gan").batches()

    def trained(run, *callbacks, **options):
        monitor = LayerMonitor()
        trainer = trainer_for(run, monitor, RandomState(), *callbacks, max_epochs=2)
        seed_all()
        trainer.fit(make("gan"), Resumable(batches), Batches(batches), **options)
        return monitor

    expected = trained(whole).diagnosis
    with pytest.raises(RuntimeError, match="planted"):
        trained(folder, Dies(path))
    resumed = trained(folder, ckpt_path=path, weights_only=True).diagnosis
    assert resumed == expected
    one, other = figures(whole), figures(folder)
    assert one.steps.tolist() == other.steps.tolist() == list(range(4 * len(batches)))
    for figure in ("activation_mean", "activation_grad_rms", "weight_grad_rms", "dead_units"):
        np.testing.assert_array_equal(one[figure], other[figure], err_msg=figure)


class Looking(pl.Callback):
    """Looks at the disk right after each checkpoint."""

    def __init__(self, folder):
        self.folder, self.seen = folder, []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.save_checkpoint(self.folder / "a.ckpt")
        (file,) = self.folder.glob("*tfevents*")
        self.seen.append((trainer.global_step, len(figures(file).steps)))


def test_a_checkpoint_is_never_ahead_of_the_events(tmp_path):
    looking = Looking(tmp_path)
    fit(seeded(Mlp), tmp_path, LayerMonitor(flush_seconds=10_000.0), looking)
    assert looking.seen == [(step, step) for step in range(1, 7)]


def test_the_callbacks_state_in_a_checkpoint_loads_with_weights_only(tmp_path):
    net = seeded(Mlp)
    trainer = fit(net, tmp_path, LayerMonitor())
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    torch.load(tmp_path / "a.ckpt", weights_only=True)


def test_a_copy_made_in_the_middle_of_a_step_is_not_measured(tmp_path):
    class Copying(Mlp):
        def loss(self, batch):
            copied = copy.deepcopy(self.net)
            saved = io.BytesIO()
            torch.save(self.net, saved)
            saved.seek(0)
            loaded = torch.load(saved, weights_only=False)
            assert torch.equal(copied(batch[0]), loaded(batch[0]))
            return super().loss(batch)

    monitor = LayerMonitor()
    fit(seeded(Copying), tmp_path, monitor)
    assert monitor.failure is None
    assert set(figures(tmp_path)["activation_count"][:, 0]) == {48}


@pytest.mark.parametrize("name", ["resnet", "gpt", "lstm", "gan", "checkpointed_reentrant"])
def test_nothing_is_left_on_the_net_after_fit(tmp_path, name):
    net = make(name)
    before = {path: set(vars(module)) for path, module in net.named_modules()}
    trainer = fit(net, tmp_path, LayerMonitor())
    assert hooks_of(net) == 0
    for optimizer in trainer.optimizers:
        assert not optimizer._optimizer_step_pre_hooks
        assert len(optimizer._optimizer_step_post_hooks) <= 1  # a scheduler's
    for path, module in net.named_modules():
        if module is not net:  # Lightning leaves its own there
            assert set(vars(module)) == before[path], path
