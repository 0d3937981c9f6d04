"""The tables of ParquetSink, as Parquet's readers have them."""

import numpy as np
import pytest

import layerscope
from tests.sinks.loop import TAG, train

pytest.importorskip("pyarrow", reason="make frameworks-test installs it")
from pyarrow import parquet

from layerscope.sinks import ParquetSink


def rows(folder, table):
    found = parquet.read_table(folder / "parquet" / table).to_pylist()
    return sorted(found, key=lambda row: row["step"])


def test_the_tables_hold_figures_and_histograms(tmp_path):
    train(tmp_path, sinks=[ParquetSink(every_n_steps=1)])
    run = layerscope.read(tmp_path)
    layers = rows(tmp_path, "layers")
    assert [row["layer"] for row in layers] == ["00_tanh", "01_linear"] * 12
    stds = np.array([row["activation_std"] for row in layers], np.float32).reshape(12, 2)
    np.testing.assert_array_equal(stds, run.figures["activation_std"])
    histograms = [row for row in rows(tmp_path, "histograms") if row["tag"] == TAG]
    buckets = run.histograms[TAG].buckets
    assert [row["counts"] for row in histograms] == buckets[:, :, 2].tolist()
    assert [row["low"] for row in histograms] == buckets[:, 0, 0].tolist()
    assert [row["high"] for row in histograms] == buckets[:, -1, 1].tolist()


def test_a_run_that_goes_on_has_each_step_once(tmp_path):
    train(tmp_path, 8, sinks=[ParquetSink(every_n_steps=1)])
    train(tmp_path, 3, sinks=[ParquetSink(every_n_steps=1)], start=5)
    assert [row["step"] for row in rows(tmp_path, "steps")] == list(range(8))
    assert [row["step"] for row in rows(tmp_path, "layers")][::2] == list(range(8))


def test_many_steps_come_in_several_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("layerscope.sinks.parquet._STEPS_IN_A_PART", 5)
    train(tmp_path, 12, sinks=[ParquetSink(every_n_steps=1)])
    assert len(list((tmp_path / "parquet/steps").glob("part-*"))) == 3
    assert [row["step"] for row in rows(tmp_path, "steps")] == list(range(12))
