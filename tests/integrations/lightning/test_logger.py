import copy
import pickle
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from layerscope.events.reader import read_run
from layerscope.events.summaries import scalar
from layerscope.integrations.lightning.logger import EventLogger


class Line(LightningModule):
    """Fits y = 2 x; `seen` is what it logged as train/loss, by step."""

    def __init__(self, width: int = 1, fail_at: int = -1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(width, 1)
        self.seen: dict[int, float] = {}

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.layer(batch)

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        if self.global_step == self.hparams["fail_at"]:
            raise ArithmeticError("on purpose")
        loss = (self(batch) - 2 * batch).square().mean()
        self.log("train/loss", loss)
        self.seen[self.global_step] = float(loss.detach())
        return loss

    def validation_step(self, batch: torch.Tensor) -> None:
        self.log_dict({"val/loss": self(batch).square().mean()})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def batches() -> DataLoader:
    return DataLoader(torch.linspace(-1, 1, 40)[:, None], batch_size=4)


def trainer(logger: EventLogger, **settings) -> Trainer:
    settings = {"max_epochs": 2, "log_every_n_steps": 1} | settings
    return Trainer(
        logger=logger,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )


pytestmark = [
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),  # Lightning's
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]


def test_tensorboard_reads_every_step_at_the_step_that_lightning_logged(tmp_path: Path) -> None:
    model = Line()
    trainer(EventLogger(tmp_path)).fit(model, batches(), batches())

    assert len(list(tmp_path.glob("*tfevents*"))) == 1
    theirs = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0}).Reload()
    logged = {event.step: event.value for event in theirs.Scalars("train/loss")}
    assert logged == pytest.approx(model.seen)
    assert list(logged) == list(range(20))
    assert [event.step for event in theirs.Scalars("val/loss")] == [9, 19]
    assert set(theirs.Tags()["scalars"]) == {"train/loss", "val/loss", "epoch"}
    assert [event.step for event in theirs.Scalars("epoch")] == list(range(20))  # each once


def test_paths_are_the_runs_own_and_checkpoints_lie_beside_the_events(tmp_path: Path) -> None:
    run = tmp_path / "run"
    logger = EventLogger(run)
    fit = trainer(logger, max_epochs=1, callbacks=[ModelCheckpoint(filename="last")])
    fit.fit(Line(), batches(), batches())
    assert logger.log_dir == logger.save_dir == logger.root_dir == fit.log_dir == str(run)
    assert (logger.name, logger.version) == ("", "")
    assert {path.name for path in run.iterdir() if "tfevents" not in path.name} == {"checkpoints"}
    assert (run / "checkpoints" / "last.ckpt").is_file()
    assert list(tmp_path.iterdir()) == [run]


def test_a_checkpoint_is_not_ahead_of_the_losses(tmp_path: Path) -> None:
    written = {}

    class Look(Callback):
        def on_train_batch_start(self, trainer: Trainer, *others: object) -> None:
            loss = read_run(tmp_path).scalars.get("train/loss")
            written[trainer.global_step] = [] if loss is None else loss.steps.tolist()

    saved = ModelCheckpoint(every_n_train_steps=3)
    fit = trainer(EventLogger(tmp_path, flush_seconds=100), max_steps=5, callbacks=[Look(), saved])
    fit.fit(Line(), batches(), batches())
    assert written[3] == [0, 1, 2]


def test_hyperparameters_are_a_table_in_the_text_tab(tmp_path: Path) -> None:
    logger = EventLogger(tmp_path)
    logger.log_hyperparams({})
    logger.log_hyperparams({"model": {"depth": 5, "name": "a|b\nc"}, "none": None, "bare": {}})
    logger.log_hyperparams(Namespace(lr=0.1))
    logger.log_hyperparams({"lr": 0.1})
    logger.finalize("success")
    steps, texts = read_run(tmp_path).texts["hparams"]
    assert steps.tolist() == [0, 0]
    assert texts[0].splitlines() == [
        "| parameter | value |",
        "|---|---|",
        "| model.depth | 5 |",
        "| model.name | a\\|b c |",
        "| none | None |",
        "| bare | {} |",
    ]
    assert texts[1].splitlines()[2:] == ["| lr | 0.1 |"]


def test_lightning_hands_over_the_modules_hyperparameters(tmp_path: Path) -> None:
    trainer(EventLogger(tmp_path), max_epochs=1).fit(Line(), batches(), batches())
    (table,) = read_run(tmp_path).texts["hparams"].texts
    assert table.splitlines()[2:] == ["| width | 1 |", "| fail_at | -1 |"]


def test_metrics_may_be_tensors_and_dicts_and_need_no_step(tmp_path: Path) -> None:
    logger = EventLogger(tmp_path)
    logger.log_metrics({"a": torch.tensor(1.5), "b": {"c": 2, "d": np.float32(3)}})
    logger.log_metrics({}, step=1)
    logger.finalize("success")
    scalars = read_run(tmp_path).scalars
    assert {tag: s.values.tolist() for tag, s in scalars.items()} == {
        "a": [1.5],
        "b/c": [2.0],
        "b/d": [3.0],
    }
    assert scalars["a"].steps.tolist() == [0]


def test_events_of_others_go_into_the_same_file(tmp_path: Path) -> None:
    logger = EventLogger(tmp_path)
    assert logger.experiment is logger.events
    logger.events.add(3, [scalar("theirs", 1.0)])
    logger.log_metrics({"ours": 2.0}, step=3)
    logger.finalize("success")
    assert len(list(tmp_path.iterdir())) == 1
    assert set(read_run(tmp_path).scalars) == {"theirs", "ours"}


def test_an_exception_in_training_leaves_all_steps_before_it(tmp_path: Path) -> None:
    logger = EventLogger(tmp_path)
    with pytest.raises(ArithmeticError):
        trainer(logger).fit(Line(fail_at=7), batches(), batches())
    run = read_run(tmp_path)
    assert run.scalars["train/loss"].steps.tolist() == list(range(7))
    assert run.torn_bytes == 0


def test_fitting_and_validating_again_opens_new_files_of_the_same_run(tmp_path: Path) -> None:
    logger, model = EventLogger(tmp_path), Line()
    trainer(logger, max_epochs=1).fit(model, batches(), batches())
    trainer(logger, max_epochs=1).validate(model, batches(), verbose=False)
    trainer(logger, max_epochs=1).fit(model, batches(), batches())
    trainer(logger, max_epochs=1).predict(model, batches())
    assert len(list(tmp_path.glob("*tfevents*"))) == 3
    scalars = read_run(tmp_path).scalars
    assert scalars["train/loss"].steps.tolist() == 2 * list(range(10))
    assert scalars["val/loss"].steps.tolist() == [9, 0, 9]


def test_only_rank_zero_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = EventLogger(tmp_path)
    logger.log_metrics({"a": 1.0}, step=0)
    logger.log_hyperparams({"a": 1})
    logger.experiment.add(0, [])
    logger.finalize("success")
    with pytest.raises(RuntimeError, match="only rank 0 writes events, and this is rank 1"):
        _ = logger.events
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_writes_a_file_of_its_own(tmp_path: Path, copied) -> None:
    logger = EventLogger(tmp_path)
    logger.log_metrics({"a": 1.0}, step=0)
    other = copied(logger)
    other.log_metrics({"a": 2.0}, step=1)
    for each in (logger, other):
        each.finalize("success")
    assert len(list(tmp_path.iterdir())) == 2
    assert read_run(tmp_path).scalars["a"].values.tolist() == [1.0, 2.0]
