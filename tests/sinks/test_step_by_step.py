"""A sink gets the steps that are due for it, and what it runs into is its own."""

import logging

import numpy as np
import pytest

import layerscope
from layerscope.sinks import Sink
from tests.sinks.loop import TAG, Kept, train

KEYFRAMES = [0, 1, 2, 3, 4, 6, 8, 11, 16, 23]


def test_a_record_holds_what_tensorboard_shows_of_the_step(tmp_path):
    kept = Kept()
    train(tmp_path, sinks=[kept], scalars_every_n_steps=1)
    run = layerscope.read(tmp_path)
    assert kept.steps == list(range(12))
    assert kept.runs == [(tmp_path, None)]
    assert kept.closed == 1
    record = kept.records[11]  # a keyframe, with the weights
    shown = {tag for tag, series in run.histograms.items() if 11 in series.steps}
    assert set(record.histograms) == shown
    assert {
        f"{quantity}/00_tanh" for quantity in ("activation", "weight_grad_log10", "weight")
    } < shown
    buckets = run.histograms[TAG].buckets[11]
    counts, edges = record.histograms[TAG]
    np.testing.assert_array_equal(counts, buckets[:, 2])
    np.testing.assert_array_equal(edges, [*buckets[:, 0], buckets[-1, 1]])
    scalars = {tag: dict(zip(*series, strict=True)) for tag, series in run.scalars.items()}
    assert record.loss == scalars.pop("train/loss")[11]
    assert record.scalars == {tag: of[11] for tag, of in scalars.items() if 11 in of}
    assert "activation_std/00_tanh" in record.scalars
    np.testing.assert_array_equal(record.figures["zeros"][0], run.figures["zeros"][11])


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({"every_n_steps": 5, "keyframes": False}, [0, 5, 10, 15, 20, 24]),
        ({"every_n_steps": 10}, sorted({*KEYFRAMES, 10, 20, 24})),
        ({"every_n_steps": 0}, []),
    ],
)
def test_every_nth_step_the_keyframes_and_the_last_are_due(tmp_path, settings, steps):
    kept = Kept(**settings)
    train(tmp_path, 25, sinks=[kept])
    assert kept.steps == steps


def test_of_steps_that_are_not_measured_the_next_one_is_due(tmp_path):
    kept = Kept(every_n_steps=10, keyframes=False)
    train(tmp_path, 36, sinks=[kept], every_n_steps=7)
    assert kept.steps == [0, 11, 21, 32, 35]


def test_steps_wait_for_one_another_unless_the_sink_awaits_them(tmp_path):
    waiting, awaiting = Kept(), Kept(every_n_steps=4, keyframes=False, at_once=True)
    seen = []

    def look(step):
        seen.append((len(waiting.records), len(awaiting.records)))

    train(tmp_path / "one", 8, sinks=[waiting], after_step=look, flush_seconds=1000.0)
    assert {of_waiting for of_waiting, _ in seen} == {0}
    waiting.records.clear()
    seen.clear()
    train(tmp_path / "two", 8, sinks=[waiting, awaiting], after_step=look, flush_seconds=1000.0)
    assert seen == [(1, 1)] * 4 + [(5, 2)] * 4


def test_the_last_record_has_the_weights_that_the_run_ends_with(tmp_path):
    kept = Kept(every_n_steps=100, keyframes=False)
    train(tmp_path, 8, sinks=[kept])
    counts, edges = kept.records[-1].histograms["weight/00_tanh"]
    (buckets,) = layerscope.read(tmp_path / "keyframes").histograms["weight/00_tanh"].buckets[-1:]
    assert (kept.steps, counts.sum()) == ([0, 7], 12)
    np.testing.assert_array_equal(edges[:-1], buckets[:, 0])


def test_findings_are_told_as_they_are_made(tmp_path):
    kept, called = Kept(every_n_steps=0), []
    watcher = train(tmp_path, broken_at=7, sinks=[kept], on_finding=called.append)
    assert [(each.rule, each.step, each.severity) for each in kept.findings] == [
        ("not_finite", 7, "critical")
    ]
    assert called == kept.findings
    assert [each.rule for each in watcher.findings] == ["not_finite"]


class Failing(Sink):
    """Fails in one of its methods."""

    def __init__(self, method, step=0):
        self.written, self.closed = [], 0
        self.method, self.step = method, step

    def _fail(self, method):
        if method == self.method:
            raise RuntimeError("no such\nhost")

    def open(self, folder, resumed_at):
        self._fail("open")

    def write(self, record):
        if record.step >= self.step:
            self._fail("write")
        self.written.append(record.step)

    def write_finding(self, finding):
        self._fail("write_finding")

    def flush(self):
        self._fail("flush")

    def close(self):
        self.closed += 1
        self._fail("close")


@pytest.mark.parametrize("method", ["open", "write", "write_finding", "flush", "close"])
def test_a_sink_that_fails_is_told_once_and_stops_nothing(tmp_path, caplog, method):
    failing, kept = Failing(method, step=3), Kept()
    with caplog.at_level(logging.ERROR):
        train(tmp_path, broken_at=9, sinks=[failing, kept], flush_seconds=0.0)
    told = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert len(told) == 1
    assert told[0].startswith("watch: Failing takes no more from step ")
    assert told[0].endswith("on: RuntimeError: no such host; training goes on")
    assert (" step 3 on" in told[0]) == (method == "write")
    assert failing.closed >= 1
    assert kept.steps == list(range(12))
    assert layerscope.read(tmp_path).figures.steps.tolist() == list(range(12))


def test_a_sink_serves_one_run_after_the_other(tmp_path):
    kept = Kept(every_n_steps=2, keyframes=False)
    train(tmp_path, 4, sinks=[kept])
    train(tmp_path, 4, sinks=[kept], start=4)
    assert kept.steps == [0, 2, 3, 4, 6, 7]
    assert kept.runs == [(tmp_path, None), (tmp_path, 4)]
    assert kept.closed == 2
