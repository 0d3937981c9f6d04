"""Steps in W&B, offline, as the file says that it would send."""

import logging

import pytest

import layerscope
from tests.sinks.loop import TAG, train

pytest.importorskip("wandb", reason="make frameworks-test installs it")
import wandb

from layerscope.sinks import WandbSink
from tests.sinks.wandb_file import RunFile

pytestmark = pytest.mark.filterwarnings("ignore")  # W&B's own, of pydantic and others


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("WANDB_DIR", raising=False)
    yield
    if wandb.run is not None:
        wandb.finish()


def test_a_run_of_its_own_has_histograms_scalars_the_loss_and_alerts(tmp_path):
    train(tmp_path, 25, sinks=[WandbSink(every_n_steps=10, project="nets")], broken_at=24)
    assert wandb.run is None
    written, run = RunFile(tmp_path), layerscope.read(tmp_path)
    steps = [0, 1, 2, 3, 4, 6, 8, 10, 11, 16, 20, 23, 24]
    losses = written.series("train/loss")
    assert list(losses) == steps
    assert losses[20] == pytest.approx(run.figures["loss"][20])
    buckets = run.histograms[TAG].buckets[20]
    assert written.series(f"{TAG}/_type")[20] == "histogram"
    assert written.series(f"{TAG}/values")[20] == buckets[:, 2].tolist()
    assert written.series(f"{TAG}/bins")[20][:-1] == pytest.approx(buckets[:, 0].tolist())
    assert written.series("activation_std/00_tanh")[20] > 0
    assert written.axes["activation/*"] == "layerscope/step"
    assert written.alerts == [("critical: not_finite in 00_tanh", "ERROR")]
    assert written.summary["finding/not_finite"] == "critical"


def test_records_go_along_in_the_rows_of_the_users_run_and_its_steps_stay(tmp_path):
    with wandb.init(dir=tmp_path) as run:

        def log(step):
            run.log({"mine": step}, step=2 * step)

        train(tmp_path / "run", 25, sinks=[WandbSink(every_n_steps=5)], after_step=log)
        run.log({"mine": 25}, step=50)
    written = RunFile(tmp_path)
    assert [(step, row["mine"]) for step, row in written.rows] == [(2 * k, k) for k in range(26)]
    for step, row in written.rows:
        if "layerscope/step" in row:  # in the row that was open when it came
            assert row["layerscope/step"] - step // 2 in (0, 1)
    steps = [0, 1, 2, 3, 4, 5, 6, 8, 10, 11, 15, 16, 20, 23, 24]
    assert set(steps) - set(written.series(f"{TAG}/values")) <= {0, 1}
    assert "train/loss" not in {name for _, row in written.rows for name in row}


def test_a_run_that_somebody_finishes_ends_the_sink_and_nothing_else(tmp_path, caplog):
    run = wandb.init(dir=tmp_path)

    def finish(step):
        if step == 5:
            run.finish()

    with caplog.at_level(logging.ERROR):
        train(tmp_path / "run", sinks=[WandbSink(run, every_n_steps=1)], after_step=finish)
    (told,) = [each.getMessage() for each in caplog.records if each.name == "layerscope"][:1]
    assert told.startswith("watch: WandbSink takes no more from step 6 on: UsageError: Run")
    assert layerscope.read(tmp_path / "run").figures.steps.tolist() == list(range(12))


def test_a_run_that_goes_on_is_the_same_in_wandb(tmp_path):
    ids = []
    for start in (0, 5):
        sink = WandbSink(mode="offline", every_n_steps=1)
        train(
            tmp_path,
            5,
            sinks=[sink],
            start=start,
            after_step=lambda _, at=sink: ids.append(at._run.id),
        )
    assert len(set(ids)) == 1


def test_a_run_beside_arguments_of_another_is_refused():
    with pytest.raises(ValueError, match=r"run must be None beside project, got"):
        WandbSink(object(), project="nets")
