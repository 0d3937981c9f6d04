"""Whatever goes wrong inside the monitor, training goes on to the same weights, and it is told."""

import contextlib
import resource

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from layerscope import LayerMonitor
from layerscope.events.reader import read_run
from layerscope.session.pipeline import Pipeline
from tests.any_model.nets import Mlp, Net, make, seeded, vectors
from tests.any_model.training import fit


def told(caplog):
    return [record for record in caplog.records if "monitoring stopped" in record.getMessage()]


def assert_same_weights(one, other):
    for key, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[key]), key


@contextlib.contextmanager
def disk_of(size):
    """No file grows beyond this many bytes: what a full disk looks like from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("size", "flush_seconds", "logged_elsewhere"),
    [
        (40_000, 0.0, True),
        (40_000, 10.0, True),
        (200_000, 0.0, True),
        (40_000, 0.0, False),
        (40_000, 10.0, False),
        (200_000, 0.0, False),
    ],
)
def test_a_full_disk_stops_the_monitor_and_not_the_training(
    tmp_path, caplog, size, flush_seconds, logged_elsewhere
):
    alone = fit(make("gpt"), tmp_path / "alone", batches=make("gpt").batches(20)).lightning_module
    monitor = LayerMonitor(flush_seconds=flush_seconds)
    # With logger=False the file is the monitor's own, otherwise it is the logger's.
    options = {"logger": False, "default_root_dir": tmp_path / "full"} if logged_elsewhere else {}
    with disk_of(size):
        watched = fit(
            make("gpt"), tmp_path / "full", monitor, batches=make("gpt").batches(20), **options
        ).lightning_module
    assert_same_weights(watched, alone)
    assert monitor.failure.startswith("monitoring stopped at step ")
    assert monitor.failure.endswith(": File too large")
    assert len(told(caplog)) == 1
    assert not any(module._forward_hooks for module in watched.modules())
    run = read_run(tmp_path / "full")  # what was written before is still readable
    if flush_seconds == 0 and size > 100_000:
        assert run.histograms["activation/00_token"].steps[0] == 0


class Odd(Net):
    """A net with a layer whose output nobody expects, and which the net takes apart by itself."""

    def __init__(self, output):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.odd = OddLayer(output)
        self.head = nn.Linear(4, 3)

    def loss(self, batch):
        x, y = batch
        self.odd(self.first(x))
        return cross_entropy(self.head(self.odd.left_behind), y)

    def draw(self, size, generator):
        return vectors(size, generator)


class OddLayer(nn.Linear):
    def __init__(self, output):
        super().__init__(4, 4)
        self.output = output

    def forward(self, x):
        self.left_behind = super().forward(x)
        return self.output(self.left_behind)


class Explosive(dict):
    """Raises at every look."""

    def items(self):
        raise RuntimeError("planted: items")

    values = keys = __iter__ = __len__ = items


class Cyclic(list):
    """Contains itself."""

    def __init__(self, x):
        super().__init__([x])
        self.append(self)


ODD = {
    "sparse": lambda x: x.detach().to_sparse(),
    "sparse_csr": lambda x: x.detach().to_sparse_csr(),
    "nested": lambda x: torch.nested.nested_tensor([x.detach()[0], x.detach()[1, :2]]),
    "meta": lambda x: x.detach().to("meta"),
    "quantized": lambda x: torch.quantize_per_tensor(x.detach(), 0.1, 0, torch.qint8),
    "complex": lambda x: torch.complex(x, x),
    "float8": lambda x: x.detach().to(torch.float8_e4m3fn),
    "empty": lambda x: x[:0],
    "scalar": lambda x: x.sum(),
    "expanded": lambda x: x[:1, :1].expand(1000, 4),
    "transposed": lambda x: x.t(),
    "object": lambda x: object(),
    "explosive": lambda x: Explosive({"x": x}),
    "cyclic": Cyclic,
    "generator": lambda x: (part for part in [x]),
    "class": lambda x: Explosive,
}
MEASURED = {"empty": 0, "scalar": 1, "expanded": 4000, "transposed": 24}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta:UserWarning")
@pytest.mark.filterwarnings("ignore:.*quantize:UserWarning")
@pytest.mark.filterwarnings("ignore:.*quantize:DeprecationWarning")
@pytest.mark.parametrize("kind", ODD)
def test_an_odd_output_is_measured_or_listed_and_the_other_layers_are_measured(
    tmp_path, caplog, kind
):
    alone = seeded(Odd, output=ODD[kind])
    fit(alone, tmp_path / "alone")
    watched, monitor = seeded(Odd, output=ODD[kind]), LayerMonitor()
    fit(watched, tmp_path / "watched", monitor)
    assert_same_weights(watched, alone)
    assert monitor.failure is None
    assert not told(caplog)
    run = read_run(tmp_path / "watched")
    for layer in ("00_first", "02_head"):
        assert run.histograms[f"activation/{layer}"].steps.tolist() == list(range(6))
    listed = {missing["layer"] for missing in monitor.diagnosis["not_measured"]}
    if MEASURED.get(kind):
        counts = [buckets[:, 2].sum() for buckets in run.histograms["activation/01_odd"].buckets]
        assert counts == [MEASURED[kind]] * 6
    elif kind not in MEASURED:
        assert "01_odd" in listed


@pytest.mark.parametrize("step", [0, 3])
def test_a_bug_in_the_monitor_is_told_once_with_its_step(tmp_path, caplog, monkeypatch, step):
    take = Pipeline.take

    def breaking(self, observation, *arguments, **options):
        if observation.step == step:
            raise ZeroDivisionError("planted")
        return take(self, observation, *arguments, **options)

    alone = fit(make("resnet"), tmp_path / "alone").lightning_module
    monkeypatch.setattr(Pipeline, "take", breaking)
    monitor = LayerMonitor()
    watched = fit(make("resnet"), tmp_path / "watched", monitor).lightning_module
    assert_same_weights(watched, alone)
    (message,) = told(caplog)
    assert message.levelname == "ERROR"
    assert message.exc_info
    assert "ZeroDivisionError: planted" in monitor.failure
    assert not any(module._forward_hooks for module in watched.modules())
    monkeypatch.undo()
    fit(seeded(Mlp), tmp_path / "again", monitor)  # the next fit starts anew
    assert monitor.failure is None
    assert (tmp_path / "again" / "diagnosis.json").exists()


def test_a_schedule_that_raises_stops_the_monitor_and_not_the_training(tmp_path, caplog):
    def schedule(step):
        raise ZeroDivisionError("planted")

    alone = fit(seeded(Mlp), tmp_path / "alone").lightning_module
    monitor = LayerMonitor(schedule=schedule)
    watched = fit(seeded(Mlp), tmp_path / "watched", monitor).lightning_module
    assert_same_weights(watched, alone)
    assert "step 5: ZeroDivisionError: planted" in monitor.failure
    assert len(told(caplog)) == 1


def test_an_exception_of_the_net_itself_comes_through(tmp_path):
    class Broken(Mlp):
        def training_step(self, batch, batch_idx):
            if batch_idx == 3:
                raise LookupError("the net's own")
            return super().training_step(batch, batch_idx)

    net, monitor = seeded(Broken), LayerMonitor()
    with pytest.raises(LookupError, match="the net's own"):
        fit(net, tmp_path, monitor)
    assert monitor.failure is None
    assert not any(module._forward_hooks for module in net.modules())
    series = read_run(tmp_path).histograms["activation/00_tanh"]
    assert series.steps.tolist() == [0, 1, 2]
