"""Observations wait, are judged and written, in order and in time."""

import time

import pytest
import torch
from torch import nn

import layerscope
from layerscope.events.reader import read_run
from layerscope.measure.device_tally import DeviceTally
from layerscope.measure.device_units import DeviceUnitTally
from layerscope.record import Recorder, choose_layers, plan
from layerscope.record.surroundings import Surroundings
from layerscope.session import block_sizes
from layerscope.session.cadence import Cadence
from layerscope.session.door import Door
from layerscope.session.pipeline import Pipeline
from layerscope.session.run_verdict import RunVerdict
from layerscope.session.settings import Settings
from layerscope.sinks.tensorboard import TensorBoardSink
from tests.watching import watch_loop

TAG = "activation/00_tanh"


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh())


class Run:
    """A pipeline into one folder, and the recorder that feeds it."""

    def __init__(self, net, folder, clock=None, **settings):
        self.net = net
        settings = Settings(**settings)
        layers, door = choose_layers(net), Door("watch", "")
        self.recorder = Recorder(layers, settings.options)
        self.recorder.attach()
        self.sink = TensorBoardSink(folder, flush_seconds=settings.flush_seconds)
        self.verdict = RunVerdict(settings, layers, None, door)
        clocks = {} if clock is None else {"clock": clock}
        cadence = Cadence(settings, door, 1000)
        self.pipeline = Pipeline(
            self.recorder,
            Surroundings(net, layers, self.recorder.state),
            cadence,
            self.verdict,
            [self.sink],
            settings,
            door,
            **clocks,
        )

    def step(self, step):
        self.recorder.state.counting = True
        output = self.net(torch.randn(5, 3))
        (output[0] if isinstance(output, tuple) else output).sum().backward()
        self.recorder.measure_gradients()
        self.pipeline.take(self.recorder.observe(step, weights=False))

    def close(self):
        self.pipeline.drain()
        self.sink.close()


def steps_in(folder, tag=TAG):
    histograms = read_run(folder).histograms
    return histograms[tag].steps.tolist() if tag in histograms else []


def test_steps_that_wait_are_written_when_the_pipeline_is_drained(tmp_path, net):
    run = Run(net, tmp_path, flush_seconds=10_000.0)
    for step in range(3):
        run.step(step)
    run.sink.flush()
    assert steps_in(tmp_path) == []
    run.close()
    assert steps_in(tmp_path) == [0, 1, 2]
    assert steps_in(tmp_path / "keyframes") == [0, 1, 2]


def test_no_step_waits_longer_than_flush_seconds_for_the_next(tmp_path, net):
    now = [1000.0]
    run = Run(net, tmp_path, clock=lambda: now[0], flush_seconds=10_000.0)
    run.step(0)
    now[0] += 9_999
    run.step(1)
    assert steps_in(tmp_path) == []
    now[0] += 2
    run.step(2)
    for folder in (tmp_path, tmp_path / "keyframes"):  # nothing is closed: a reader looks on
        assert steps_in(folder) == [0, 1, 2]
    run.close()


def test_a_step_reaches_the_disk_though_no_other_follows(tmp_path, net):
    run = Run(net, tmp_path, flush_seconds=0.2)
    run.step(0)
    deadline = time.monotonic() + 60
    while not (steps_in(tmp_path) and steps_in(tmp_path / "keyframes")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    run.close()
    assert steps_in(tmp_path) == [0]


def test_what_the_clock_ran_into_is_raised_by_the_next_step(tmp_path, net, monkeypatch):
    run = Run(net, tmp_path, flush_seconds=10_000.0)
    run.step(0)

    def full(*_):
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(run.sink, "write", full)
        run.pipeline.flush_on_time()
    with pytest.raises(OSError, match="No space left"):
        run.step(1)
    run.close()


def test_many_steps_are_written_though_no_time_passes(tmp_path, net):
    run = Run(net, tmp_path, clock=lambda: 1000.0)
    for step in range(300):
        run.step(step)
    run.sink.flush()
    assert len(steps_in(tmp_path)) > 100
    run.close()


def test_no_step_waits_where_a_finding_may_stop_the_training(tmp_path, net):
    run = Run(net, tmp_path, stop_on="critical")
    run.step(0)
    assert run.verdict.stop is None
    net[0].weight.data.fill_(torch.nan)
    run.step(1)
    assert run.verdict.stop.rule == "not_finite"
    run.close()


def test_the_mark_of_a_finding_stands_at_the_step_where_it_began(tmp_path, net):
    run = Run(net, tmp_path)
    run.step(0)
    net[0].weight.data.fill_(torch.nan)
    for step in (1, 2):
        run.step(step)
    run.close()
    marks = read_run(tmp_path).scalars["finding/not_finite"]
    assert marks.steps.tolist() == [1]
    assert marks.values.tolist() == [3]


def test_what_waits_is_written_with_the_layers_that_it_was_measured_with(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), Pair())
    run = Run(net, tmp_path)
    for step in range(4):
        net[2].apart = step >= 2
        run.step(step)
    run.close()
    assert steps_in(tmp_path) == [0, 1, 2, 3]
    assert steps_in(tmp_path, "activation/01_pair.0") == [2, 3]


class Pair(nn.Module):
    """Scales by a weight; gives a tuple where it is told to."""

    apart = False

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x):
        x = x * self.scale
        return (x,) if self.apart else x


def test_what_is_written_already_is_judged_later_and_at_the_latest_when_drained(tmp_path, net):
    run = Run(net, tmp_path, clock=lambda: 1000.0)
    looks = []
    look = run.verdict.look
    run.verdict.look = lambda figures: looks.append(figures.steps.tolist()) or look(figures)
    for step in range(520):
        run.step(step)
    run.sink.flush()
    assert steps_in(tmp_path) == list(range(512))
    assert [(steps[0], steps[-1]) for steps in looks] == [(0, 255)]
    net[0].weight.data.fill_(torch.nan)
    for step in range(520, 540):
        run.step(step)
    run.close()
    assert [steps[-1] for steps in looks[1:]] == [539]
    assert [f.step for f in run.verdict.judge.findings if f.rule == "not_finite"] == [520]
    assert read_run(tmp_path).scalars["finding/not_finite"].steps.tolist() == [520]


def test_written_steps_do_not_wait_for_the_judge_longer_than_flush_seconds(tmp_path, net):
    now = [1000.0]
    run = Run(net, tmp_path, clock=lambda: now[0], flush_seconds=10_000.0)
    for step in range(256):
        run.step(step)
    net[0].weight.data.fill_(torch.nan)
    for step in range(256, 512):
        run.step(step)
    assert not run.verdict.judge.findings
    now[0] += 10_001
    run.step(512)
    assert [f.step for f in run.verdict.judge.findings if f.rule == "not_finite"] == [256]
    run.close()


def test_a_layer_that_the_first_step_leaves_out_is_not_on_the_trunk(tmp_path):
    """LayerDrop (Fan et al. 2019) leaves out whole layers of a transformer."""

    class Drops(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(4))
            self.dropped = 2

        def forward(self, x):
            for number, layer in enumerate(self.layers):
                x = x if number == self.dropped else layer(x).relu()
            self.dropped = None
            return x

    watch_loop(Drops(), tmp_path, 3)
    layers = [each for each in layerscope.read(tmp_path).figures.layers if each.module == "Linear"]
    assert [(each.order >= 0, each.on_trunk) for each in layers] == [
        (True, number != 2) for number in range(4)
    ]


def run_on_a_device(net, folder, monkeypatch, **options):
    """A run whose tensors are counted as on a device, which the CPU plays: eight steps together."""
    monkeypatch.setattr(plan, "tally_for", DeviceTally)
    monkeypatch.setattr(plan, "units_for", DeviceUnitTally)
    run = Run(net, folder, **options)
    rows = len(run.recorder.plan.channels)
    monkeypatch.setattr(block_sizes, "_ROWS_OF_A_DEVICE", 7 * rows)
    return run


def test_of_a_device_few_steps_are_written_together_and_the_latest_wait(tmp_path, net, monkeypatch):
    run = run_on_a_device(net, tmp_path, monkeypatch, clock=lambda: 1000.0)
    written = {}
    for step in range(40):
        run.step(step)
        run.sink.flush()
        written[step] = len(steps_in(tmp_path))
    assert all(step - 12 < count <= step - 3 for step, count in written.items() if count)
    assert [step for step, count in written.items() if count != written.get(step - 1, 0)] == [
        *(11, 19, 27, 35)
    ]
    run.close()
    assert steps_in(tmp_path) == list(range(40))


def test_a_step_that_is_left_alone_counts_as_the_first_that_waits(tmp_path, net, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(block_sizes, "_JUDGED_FIRST", 16)
    run = run_on_a_device(net, tmp_path, monkeypatch, clock=lambda: now[0], flush_seconds=10_000.0)
    for step in range(20):  # step k comes at 1400 + 400 k; the first 16 are judged
        now[0] += 400
        run.step(step)
    now[0] = 7_800 + 9_999
    run.step(20)
    run.sink.flush()
    assert steps_in(tmp_path) == list(range(16))
    now[0] += 1
    run.step(21)
    assert steps_in(tmp_path) == list(range(22))
    run.close()
