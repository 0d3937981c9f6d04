"""Steps in MLflow's local store."""

import pytest

import layerscope
from tests.sinks.loop import train

pytest.importorskip("mlflow", reason="make frameworks-test installs it")
import mlflow

from layerscope.sinks import MlflowSink

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own, of SQLAlchemy and others


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A database with MLflow's tables, whose making takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


def test_a_run_of_its_own_has_scalars_the_loss_and_findings_as_tags(tmp_path, store):
    def sink():
        return MlflowSink(tracking_uri=store, experiment="nets", every_n_steps=10)

    train(tmp_path, 12, sinks=[sink()], broken_at=11)
    train(tmp_path, 9, sinks=[sink()], start=12)
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("nets")
    (run,) = client.search_runs([experiment.experiment_id])  # which went on
    assert (run.info.status, run.info.run_name) == ("FINISHED", tmp_path.name)
    figures = layerscope.read(tmp_path).figures
    losses = client.get_metric_history(run.info.run_id, "train/loss")
    assert [each.step for each in losses] == [0, 10, 11, 12, 20]
    assert losses[1].value == pytest.approx(figures["loss"][10])
    stds = client.get_metric_history(run.info.run_id, "activation_std/00_tanh")
    assert [each.step for each in stds][:2] == [0, 10]
    told = run.data.tags["layerscope.finding.not_finite"]
    assert told.startswith("critical in 00_tanh from step 11: ")


def test_the_run_that_is_active_is_used_and_left_open(tmp_path, store):
    mlflow.set_tracking_uri(store)
    with mlflow.start_run() as mine:
        train(tmp_path, 3, sinks=[MlflowSink(every_n_steps=1)])
        assert mlflow.active_run() is not None
    names = mlflow.get_run(mine.info.run_id).data.metrics
    assert "activation_std/00_tanh" in names
    assert "train/loss" not in names  # yours to log
