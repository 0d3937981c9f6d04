"""The trainer's own loggers of W&B and MLflow get the steps of a fit."""

import pytest

import layerscope
from layerscope import LayerMonitor
from tests.any_model.nets import Mlp, seeded
from tests.any_model.training import fit
from tests.sinks.wandb_file import RunFile

pytest.importorskip("wandb", reason="make frameworks-test installs it")
pytest.importorskip("mlflow", reason="make frameworks-test installs it")
import wandb
from lightning.pytorch.loggers import MLFlowLogger, WandbLogger

pytestmark = pytest.mark.filterwarnings("ignore")  # W&B's and MLflow's own, of their libraries

TAG = "activation/00_tanh"


@pytest.fixture
def loggers(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.delenv("WANDB_DIR", raising=False)
    yield (
        WandbLogger(save_dir=tmp_path, project="nets"),
        MLFlowLogger("nets", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db"),
    )
    if wandb.run is not None:
        wandb.finish()


def test_each_logger_s_run_gets_the_steps_of_the_first_monitor(tmp_path, loggers):
    monitors = [LayerMonitor(log_dir=tmp_path / name, images=False) for name in "ab"]
    fit(seeded(Mlp), tmp_path, *monitors, logger=list(loggers))
    assert not any(monitor.failure for monitor in monitors)
    assert wandb.run is not None  # the user's, to be finished by the user
    wandb.finish()
    written, run = RunFile(tmp_path), layerscope.read(tmp_path / "a")
    sent = written.series(f"{TAG}/values", "trainer/global_step")
    assert list(sent.values()) == [each[:, 2].tolist() for each in run.histograms[TAG].buckets]
    assert written.axes["activation/*"] == "trainer/global_step"
    client = loggers[1].experiment
    stds = client.get_metric_history(loggers[1].run_id, "activation_std/00_tanh")
    assert [each.step for each in stds] == [0, run.figures.steps[-1]]
    assert stds[0].value == pytest.approx(run.figures["activation_std"][0, 0])
    assert client.get_run(loggers[1].run_id).info.status == "FINISHED"  # by the logger


def test_where_no_sink_is_wanted_the_loggers_get_nothing(tmp_path, loggers):
    fit(seeded(Mlp), tmp_path, LayerMonitor(sinks=[], images=False), logger=list(loggers))
    wandb.finish()
    assert not RunFile(tmp_path).series(f"{TAG}/values", "trainer/global_step")
    metrics = loggers[1].experiment.get_run(loggers[1].run_id).data.metrics
    assert "activation_std/00_tanh" not in metrics
