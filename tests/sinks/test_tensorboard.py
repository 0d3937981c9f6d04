"""Blocks of steps, as event files read them back."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from layerscope.diagnose import Figures, LayerFacts
from layerscope.events.event_file import EventFile
from layerscope.events.framing import Records
from layerscope.events.reader import read_run
from layerscope.record import Recorder, choose_layers
from layerscope.sinks import step_histograms
from layerscope.sinks.step_block import Step, StepBlock
from layerscope.sinks.tensorboard import TensorBoardSink, bytes_per_step

TAG = "activation/00_tanh"
LAYERS = (LayerFacts("00_tanh", "1", "Tanh", order=0, bounds=(-1.0, 1.0), can_die=True),)


@pytest.fixture
def recorder():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    made = Recorder(choose_layers(network))
    made.attach()
    made.network = network
    return made


def observe(recorder, step, weights=False, reached=True):
    recorder.state.counting = True
    if reached:
        recorder.network(torch.randn(5, 3)).sum().backward()
        recorder.measure_gradients()
    if weights:
        recorder.measure_weights()
    return recorder.observe(step, weights)


def block_of(recorder, steps, **options):
    observations = [observe(recorder, step, weights=True) for step in steps]
    made = [Step(each, 1e9 + each.step, **options) for each in observations]
    return StepBlock(recorder.plan.channels, made, Figures.empty(LAYERS, steps))


def test_every_step_is_one_event_at_its_own_wall_time(tmp_path, recorder):
    sink = TensorBoardSink(tmp_path)
    sink.write(block_of(recorder, [0, 7]))
    sink.close()
    assert read_run(tmp_path).histograms[TAG].steps.tolist() == [0, 7]
    assert not list((tmp_path / "keyframes").glob("events*"))


def test_a_block_of_steps_has_the_bytes_of_the_same_steps_one_by_one(
    tmp_path, recorder, monkeypatch
):
    steps = [
        Step(observe(recorder, 0, weights=True), 1e9, with_scalars=True, is_keyframe=True),
        Step(observe(recorder, 1), 1e9 + 1),
        Step(observe(recorder, 2, reached=False), 1e9 + 2),
        Step(observe(recorder, 3), 1e9 + 3, with_scalars=True),
        Step(observe(recorder, 4), 1e9 + 4),
        Step(observe(recorder, 5, weights=True), 1e9 + 5),
    ]
    figures = Figures.empty(LAYERS, range(6))
    figures.of_steps[:] = np.arange(figures.of_steps.size).reshape(figures.of_steps.shape)

    def written(folder, blocks):
        sink = TensorBoardSink(folder)
        for rows in blocks:
            of_block = figures.of_rows(list(rows))
            sink.write(StepBlock(recorder.plan.channels, [steps[row] for row in rows], of_block))
        sink.close()
        (path,) = folder.glob("events*")
        # All but the first three records, whose wall time is that of this test.
        return [path.read_bytes()[at:stop] for at, stop in Records(path.read_bytes())][3:]

    together = written(tmp_path / "together", [range(6)])
    assert together == written(tmp_path / "alone", [[row] for row in range(6)])
    assert len(together) == 6
    monkeypatch.setattr(step_histograms, "_VALUES_TOGETHER", 8)
    assert together == written(tmp_path / "two_at_a_time", [range(6)])


def test_keyframes_and_scalars_are_written_where_a_step_asks_for_them(tmp_path, recorder):
    sink = TensorBoardSink(tmp_path)
    sink.write(block_of(recorder, [0], is_keyframe=True))
    sink.write(block_of(recorder, [1], with_scalars=True))
    sink.close()
    assert read_run(tmp_path / "keyframes").histograms[TAG].steps.tolist() == [0]
    scalars = read_run(tmp_path).scalars
    assert scalars["weight_grad_rms/00_tanh"].steps.tolist() == [1]
    for quantity in ("activation_grad", "weight_grad"):
        (rms,) = scalars[f"{quantity}_rms/00_tanh"].values
        (log,) = scalars[f"{quantity}_rms_log10/00_tanh"].values
        assert log == pytest.approx(math.log10(rms), abs=1e-6)


def test_a_shared_event_file_stays_open_and_its_own_is_closed(tmp_path, recorder):
    events = EventFile(tmp_path)
    sink = TensorBoardSink(tmp_path, events)
    sink.write(block_of(recorder, [0]))
    sink.close()
    sink.close()
    assert not events.closed
    events.close()


def test_the_bytes_of_a_step_are_known_beforehand(tmp_path, recorder):
    events = EventFile(tmp_path)
    sink = TensorBoardSink(tmp_path, events)
    sink.write(block_of(recorder, [0, 1]))  # with the descriptions, which are written once or twice
    events.flush()
    before = events.path.stat().st_size
    sink.write(block_of(recorder, [2]))
    events.flush()
    taken = events.path.stat().st_size - before
    assert (
        bytes_per_step(recorder.plan.channels) * 0.9
        < taken
        < bytes_per_step(recorder.plan.channels) * 1.02
    )
    sink.close()
    events.close()
