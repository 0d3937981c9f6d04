"""Steps in Trackio's local store."""

import pytest

import layerscope
from tests.sinks.loop import TAG, train

pytest.importorskip("trackio", reason="make frameworks-test installs it")
import trackio
from trackio.sqlite_storage import SQLiteStorage

from layerscope.sinks import TrackioSink

pytestmark = pytest.mark.filterwarnings("ignore")  # Trackio's own


def test_a_run_of_its_own_has_histograms_scalars_the_loss_and_alerts(tmp_path):
    name = tmp_path.name
    quiet = {"project": name, "auto_log_gpu": False, "auto_log_cpu": False}
    train(tmp_path, 12, sinks=[TrackioSink(every_n_steps=10, **quiet)], broken_at=11)
    train(tmp_path, 2, sinks=[TrackioSink(every_n_steps=10, **quiet)], start=12)
    rows = {row["step"]: row for row in SQLiteStorage.get_logs(name, name)}
    assert list(rows) == [0, 1, 2, 3, 4, 6, 8, 10, 11, 12, 13]
    run = layerscope.read(tmp_path)
    assert rows[10][TAG]["_type"] == "trackio.histogram"
    assert rows[10][TAG]["values"] == run.histograms[TAG].buckets[10][:, 2].tolist()
    assert rows[10]["train/loss"] == pytest.approx(run.figures["loss"][10])
    assert rows[10]["activation_std/00_tanh"] > 0
    alert = SQLiteStorage.get_alerts(name)[0]
    assert (alert["title"], alert["level"]) == ("critical: not_finite in 00_tanh", "error")
    assert alert["step"] == 11


def test_the_run_that_is_active_is_used_and_left_open(tmp_path):
    mine = trackio.init(tmp_path.name, "mine", auto_log_gpu=False, auto_log_cpu=False)
    train(tmp_path / "run", 3, sinks=["trackio"])
    mine.log({"mine": 1.0}, step=3)
    mine.finish()
    rows = SQLiteStorage.get_logs(tmp_path.name, "mine")
    assert [row["step"] for row in rows] == [0, 1, 2, 3]
    assert "train/loss" not in rows[0]
