"""The tables of CsvSink, as Python's own reader has them."""

import csv

import numpy as np
import pytest

import layerscope
from layerscope.diagnose.measured.figure_names import LAYER_FIGURES
from layerscope.sinks import CsvSink
from tests.sinks.loop import train


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers(rows, column):
    return [float(row[column] or "nan") for row in rows]


def test_the_tables_hold_the_figures_of_each_layer_and_step(tmp_path):
    train(tmp_path, sinks=[CsvSink(every_n_steps=1)], broken_at=9)
    figures = layerscope.read(tmp_path).figures
    layers, steps = table(tmp_path / "csv/layers.csv"), table(tmp_path / "csv/steps.csv")
    assert [(row["step"], row["layer"]) for row in layers[:3]] == [
        ("0", "00_tanh"), ("0", "01_linear"), ("1", "00_tanh"),
    ]  # fmt: skip
    for name in LAYER_FIGURES:
        read = np.array(numbers(layers, name), np.float32).reshape(12, 2)
        np.testing.assert_array_equal(read, figures[name], err_msg=name)
    np.testing.assert_array_equal(np.array(numbers(steps, "loss"), np.float32), figures["loss"])
    (finding,) = table(tmp_path / "csv/findings.csv")
    assert (finding["rule"], finding["step"], finding["severity"]) == (
        "not_finite",
        "9",
        "critical",
    )


def test_a_run_that_goes_on_has_each_step_once(tmp_path):
    sink = CsvSink(tmp_path / "mine", every_n_steps=1)
    train(tmp_path / "run", 8, sinks=[sink])
    with (tmp_path / "mine/steps.csv").open("a") as file:
        file.write("3,17")  # a process was killed while it wrote
    train(tmp_path / "run", 3, sinks=[sink], start=5)
    rows = table(tmp_path / "mine/steps.csv")
    assert [int(row["step"]) for row in rows] == list(range(8))
    assert [int(row["step"]) for row in table(tmp_path / "mine/layers.csv")][::2] == list(range(8))


@pytest.mark.parametrize("every", [0, 2.0, True])
def test_an_interval_out_of_its_bounds_is_refused(every):
    with pytest.raises(ValueError, match=r"every_n_steps must be (at least 1|a whole number), got"):
        CsvSink(every_n_steps=every)
