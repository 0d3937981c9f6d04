import pytest
import torch
from torch import nn

from layerscope.events.event_file import EventFile
from layerscope.events.reader import read_run
from layerscope.record import Recorder, choose_layers, every_n_steps
from layerscope.session.step_figures import Observed
from layerscope.sinks.tensorboard import StepLog, bytes_per_step

TAG = "activation/00_tanh"


@pytest.fixture
def recorder():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    with Recorder(choose_layers(network)) as made:
        made.network = network
        yield made


def observe(recorder, step, weights=False):
    recorder.counting = True
    recorder.network(torch.randn(5, 3)).sum().backward()
    recorder.measure_gradients()
    if weights:
        recorder.measure_weights()
    return recorder.observe(step, weights)


def log_of(folder, recorder, **options):
    events = EventFile(folder, flush_seconds=options.get("flush_seconds", 10.0))
    every = every_n_steps(1)
    log = StepLog(events, folder, lambda figures: None, every, **options)
    log.use(Observed(choose_layers(recorder.network), recorder))
    return events, log


def test_steps_that_wait_are_written_at_close(tmp_path, recorder):
    events, log = log_of(tmp_path, recorder)
    for step in range(3):
        log.write(observe(recorder, step))
    log.close()
    events.close()
    assert read_run(tmp_path).histograms[TAG].steps.tolist() == [0, 1, 2]
    assert read_run(tmp_path / "keyframes").histograms[TAG].steps.tolist() == [0, 1, 2]


def test_no_step_waits_longer_than_flush_seconds_for_the_next(tmp_path, recorder):
    now = [1000.0]
    events, log = log_of(tmp_path, recorder, flush_seconds=10.0, clock=lambda: now[0])
    log.write(observe(recorder, 0))
    now[0] += 9.9
    log.write(observe(recorder, 1))
    assert not list(tmp_path.glob("events.*"))
    now[0] += 0.2
    log.write(observe(recorder, 2))
    for folder in (tmp_path, tmp_path / "keyframes"):  # nothing is closed: a reader looks on
        assert read_run(folder).histograms[TAG].steps.tolist() == [0, 1, 2]
    log.close()
    events.close()


def test_many_steps_are_written_though_no_time_passes(tmp_path, recorder):
    events, log = log_of(tmp_path, recorder, clock=lambda: 1000.0)
    for step in range(300):
        log.write(observe(recorder, step))
    events.flush()
    assert len(read_run(tmp_path).histograms[TAG].steps) > 100
    log.close()
    events.close()


def test_the_bytes_of_a_step_are_known_beforehand(tmp_path, recorder):
    events, log = log_of(tmp_path, recorder)
    log.write(observe(recorder, 0, weights=True))  # with the descriptions
    log.close()
    before = events.bytes_written
    events, log = log_of(tmp_path / "more", recorder)
    for step in range(2):
        log.write(observe(recorder, step, weights=True))
    log.close()
    scalars = 2 * 4 * 50
    taken = events.bytes_written - before
    assert taken - scalars < bytes_per_step(recorder.channels) * 1.02
    assert taken > bytes_per_step(recorder.channels) * 0.9
    events.close()
