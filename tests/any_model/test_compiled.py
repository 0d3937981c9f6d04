"""Under torch.compile the figures are right, or the monitor says which hooks never fired."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from layerscope import LayerMonitor, read, watch
from layerscope.integrations.script import ScriptWatch
from layerscope.measure.measurable import SMALL
from layerscope.session.settings import Settings
from tests.any_model.nets import Mlp, seeded
from tests.any_model.reference import FIGURES, assert_figures_are_those_of, run_plainly
from tests.any_model.training import figures, fit
from tests.usual_step import descend
from tests.watching import watch_loop

pytestmark = [
    pytest.mark.slow,
    # torch's own tracing looks at .grad of everything.
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
    # And makes an object of an autograd function, of which it warns itself.
    pytest.mark.filterwarnings("ignore:.* should not be instantiated:DeprecationWarning"),
]


class Compiled(Mlp):
    """Its layers are compiled together; `called`: and have run before the monitor comes."""

    def __init__(self, backend, called):
        super().__init__()
        compiled = torch.compile(self.net, backend=backend)
        if called:
            compiled(torch.zeros(6, 4)).sum().backward()
            self.zero_grad()
        self.net = compiled

    def loss(self, batch):
        return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])


@pytest.fixture(autouse=True)
def nothing_compiled():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("called", [False, True], ids=["fresh", "called_before"])
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_net_is_measured_right_or_its_layers_are_listed(
    tmp_path, caplog, backend, called
):
    monitor = LayerMonitor()
    net = seeded(Compiled, backend=backend, called=called)
    fit(net, tmp_path, monitor)
    assert monitor.failure is None
    written, steps = figures(tmp_path), run_plainly(seeded(Mlp))
    listed = {missing["layer"]: missing["reason"] for missing in monitor.diagnosis["not_measured"]}
    names = [facts.name for facts in written.layers]
    assert names == ["00_tanh", "01_relu", "02_linear"]
    for column, name in enumerate(names):
        if name in listed:
            assert "never fired" in listed[name]
            assert "3 of 3 hooks did not fire" in caplog.text  # and what to do
            assert "compile" in caplog.text
            assert not np.nan_to_num(written["activation_count"][:, column]).any()
    if not listed:
        assert_figures_are_those_of(steps, written, set(FIGURES) - {"weight_rms"})
    gradients = [figure for figure in FIGURES if figure.startswith("weight_grad")]
    assert_figures_are_those_of(steps, written, gradients)


@pytest.mark.parametrize("called", [False, True], ids=["fresh", "called_before"])
def test_a_compiled_net_trains_to_the_same_weights(tmp_path, called):
    trained = []
    for watched in (False, True):
        torch._dynamo.reset()
        net = seeded(Compiled, backend="eager", called=called)
        fit(net, tmp_path / str(watched), *[LayerMonitor()] * watched)
        trained.append(list(net.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*trained, strict=True))


def test_a_compiled_lightning_module_is_measured_right_or_listed(tmp_path):
    monitor = LayerMonitor()
    fit(torch.compile(seeded(Mlp), backend="eager"), tmp_path, monitor)
    assert monitor.failure is None
    counts = np.nan_to_num(figures(tmp_path)["activation_count"])
    listed = monitor.diagnosis["not_measured"]
    assert (counts == [48, 48, 18]).all() or len(listed) == 3


def compile_whole(net):
    net.compile(backend="eager")


def compile_with_dynamic_shapes(net):
    net.compile(backend="eager", dynamic=True)


def compile_each_layer(net):
    for layer in net:
        layer.compile(backend="eager")


def compile_as_one_graph(net):
    net.compile(backend="aot_eager", fullgraph=True)


def leave_as_it_is(net):
    pass


def watched(folder, make_compiled):
    """The figures of a net that is trained in a loop, on batches of several sizes."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    make_compiled(net)
    sizes = (8, 5, 11, 7)
    watcher = watch_loop(net, folder, len(sizes), lambda step: (torch.randn(sizes[step], 4),))
    assert watcher.failure is None
    assert watcher.diagnosis["not_measured"] == []
    return figures(folder)


@pytest.mark.parametrize(
    "make_compiled",
    [compile_whole, compile_with_dynamic_shapes, compile_each_layer, compile_as_one_graph],
)
def test_a_net_compiled_in_place_is_measured_as_one_that_is_not(tmp_path, make_compiled):
    found = watched(tmp_path / "compiled", make_compiled)
    expected = watched(tmp_path / "plain", leave_as_it_is)
    unknown = [replace(facts, fed=False) for facts in expected.layers]  # as its graph is not seen
    assert list(found.layers) == unknown
    for name in FIGURES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, err_msg=name)
    assert expected["activation_count"][:, 0].tolist() == [8 * 8, 5 * 8, 11 * 8, 7 * 8]


@torch.compile(backend="eager")
def compiled_call(net, x):
    return net(x)


@pytest.mark.parametrize("compiled", ["in place", "in a wrapper", "in a function"])
def test_a_script_s_network_whose_calls_are_compiled_is_measured_from_its_first_step(
    tmp_path, compiled
):
    script = ScriptWatch(tmp_path / "run", Settings(), named=True)
    script.start()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    call = net
    if compiled == "in place":
        net.compile(backend="eager")
    elif compiled == "in a wrapper":
        call = torch.compile(net, backend="eager")
    else:
        call = functools.partial(compiled_call, net)
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        loss = call(torch.randn(5, 6)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    script.close()
    run = read(tmp_path / "run")
    np.testing.assert_allclose(run.scalars["train/loss"].values, losses, rtol=1e-6)
    assert run.figures["activation_count"].tolist() == [[40.0, 15.0]] * 4


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.head = nn.Linear(8, 24), nn.Linear(8, 2)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.head(x + torch.nn.functional.scaled_dot_product_attention(q, k, v))


@pytest.mark.parametrize("compiles", ["nothing", "a copy", "in place", "a part"])
def test_attention_that_is_compiled_is_not_seen_and_the_log_says_so(tmp_path, caplog, compiles):
    caplog.set_level("INFO", "layerscope")
    inner = seeded(Attending)
    net = nn.Sequential(inner, nn.Identity())
    run = torch.compile(net, backend="eager") if compiles == "a copy" else net
    if compiles in ("in place", "a part"):
        (net if compiles == "in place" else inner).compile(backend="eager")
    watcher = watch_loop(run, tmp_path, 2, lambda step: (torch.randn(4, 6, 8),))
    assert watcher.failure is None
    seen = bool(read(tmp_path).attention)
    assert (seen, "attention" in caplog.text) == ((compiles == "nothing"), compiles != "nothing")


def test_a_graph_that_must_not_break_is_compiled_but_once_more_after_the_first_step(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    compiled = torch.compile(net, backend="aot_eager", fullgraph=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with (
        torch._dynamo.config.patch(recompile_limit=2),
        watch(net, tmp_path, summary=False) as watcher,
    ):
        for _ in range(12):  # the surroundings are looked at in most of them
            loss = compiled(torch.randn(8, 4)).square().mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            watcher.step(loss)
    assert watcher.failure is None
    assert figures(tmp_path)["activation_count"].tolist() == [[64, 24]] * 12


@pytest.mark.parametrize("threads", [1, 2])
def test_large_outputs_of_such_a_graph_are_counted_once(threads, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)  # ours, not torch's own
    found = []
    for backend in (None, "aot_eager"):
        torch._dynamo.reset()
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 64), nn.GELU(), nn.LayerNorm(64), nn.Linear(64, 48))
        if backend is not None:
            net.compile(backend=backend, fullgraph=True)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        with watch(net, tmp_path / str(backend), summary=False) as watcher:
            for _ in range(4):
                output = net(torch.randn(1024, 4))
                assert output.nbytes > SMALL
                loss = output.square().mean()
                descend(watcher, optimizer, loss)
        assert watcher.failure is None
        histograms = read(tmp_path / str(backend)).histograms
        found.append({tag: each.buckets[..., 2].sum(-1) for tag, each in histograms.items()})
    eager, compiled = found
    assert eager.keys() == compiled.keys()
    for tag, counted in eager.items():
        assert counted.tolist() == compiled[tag].tolist(), tag
        assert not tag.endswith("linear") or counted.min() > 0


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_one_function_in_several_places_is_one_layer_in_compiled_code(tmp_path, backend):
    class Shares(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.act = nn.Linear(4, 6), nn.Linear(6, 3), nn.ReLU()

        def forward(self, x):
            return self.act(self.second(self.act(self.first(x))))

    net = Shares()
    compiled = torch.compile(net, backend=backend)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    with watch(net, tmp_path) as scope:
        for _ in range(3):
            descend(scope, optimizer, compiled(torch.randn(5, 4)).sum())
    written = figures(tmp_path)
    names = [facts.name for facts in written.layers]
    assert names == ["00_first", "01_second", "02_act"]
    assert written["activation_count"][:, 2].tolist() == [5 * 6 + 5 * 3] * 3


class Softmaxed(nn.Sequential):
    def forward(self, x):
        return super().forward(x).softmax(-1)


@pytest.mark.parametrize("how", ["whole", "part"])
def test_the_ends_of_a_compiled_network_are_seen(tmp_path, how):
    """Its output is behind compiled code, and what the loss does with it is not compiled."""
    torch.manual_seed(0)
    net = Softmaxed(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    compiled = torch.compile(net, backend="eager")
    network = compiled if how == "whole" else nn.ModuleDict({"net": compiled})
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with watch(network, tmp_path) as scope:
        for _ in range(60):
            loss = nn.functional.cross_entropy(compiled(torch.randn(32, 4)), torch.arange(32) % 3)
            loss.backward()
            optimizer.step()
            scope.step(loss)
    rules = {finding["rule"] for finding in scope.diagnosis["findings"]}
    assert {"loss_after_activation", "gradients_accumulate"} <= rules


def test_the_data_of_layers_before_compiled_code_are_seen(tmp_path):
    torch.manual_seed(0)
    net = nn.ModuleDict(
        {"first": nn.Linear(4, 8), "rest": nn.Sequential(nn.ReLU(), nn.Linear(8, 3))}
    )
    net["rest"].compile(backend="eager")
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
    with watch(net, tmp_path) as scope:
        for _ in range(30):
            optimizer.zero_grad()
            outputs = net["rest"](net["first"](300 * torch.rand(32, 4)))
            loss = nn.functional.cross_entropy(outputs, torch.arange(32) % 3)
            loss.backward()
            optimizer.step()
            scope.step(loss)
    assert "input_scale" in {finding["rule"] for finding in scope.diagnosis["findings"]}
