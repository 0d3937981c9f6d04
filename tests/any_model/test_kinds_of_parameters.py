"""Parameters that are no plain floats, or not there yet."""

import copy

import pytest
import torch
from torch import nn

import layerscope
from layerscope.record.unreached import NEVER_FIRED, USED_BY_OTHERS
from tests.watching import counts, watch_loop


class Spectral(nn.Module):
    """A Fourier layer: complex weight, real output."""

    def __init__(self, bias=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 5, dtype=torch.cfloat))
        self.bias = nn.Parameter(torch.zeros(5, dtype=torch.cfloat)) if bias else 0

    def forward(self, x):
        return torch.fft.irfft(torch.fft.rfft(x) * self.weight.sum(0) + self.bias, n=8)


class Quantized(nn.Module):
    """A frozen weight of whole numbers."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, 8, dtype=torch.int8), requires_grad=False)

    def forward(self, x):
        return x @ self.weight.float() * 0.05


def net_with(layer):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), layer, nn.Linear(8, 1))


@pytest.mark.parametrize(
    ("make", "listed"),
    [
        (Spectral, ["01_spectral.weight"]),
        (lambda: Spectral(bias=True), ["01_spectral.bias", "01_spectral.weight"]),
        (Quantized, ["01_quantized.weight"]),
    ],
)
def test_a_parameter_without_floats_is_listed_and_the_rest_is_measured(tmp_path, make, listed):
    watched = net_with(make())
    plain = copy.deepcopy(watched)
    optimizer = torch.optim.Adam([p for p in watched.parameters() if p.requires_grad], 0.01)
    draw = lambda step: (torch.full((6, 4), step / 12),)  # noqa: E731
    watcher = watch_loop(watched, tmp_path, draw=draw, optimizer=optimizer, biases=True)
    assert watcher.failure is None
    reasons = {each["layer"]: each["reason"] for each in watcher.diagnosis["not_measured"]}
    assert sorted(reasons) == listed
    assert all("Parameter, torch." in reason for reason in reasons.values())
    layer = listed[0].split(".")[0]
    assert counts(tmp_path, f"activation/{layer}") == dict.fromkeys(range(12), 48)
    assert counts(tmp_path, f"weight_grad/{layer}") == {}
    assert counts(tmp_path, "weight_grad/00_tanh") == dict.fromkeys(range(12), 32)
    optimizer = torch.optim.Adam([p for p in plain.parameters() if p.requires_grad], 0.01)
    for step in range(12):
        optimizer.zero_grad()
        plain(*draw(step)).square().mean().backward()
        optimizer.step()
    for one, other in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(one, other)


def test_lazy_modules_are_measured_from_the_first_step_on(tmp_path):
    net = nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.LazyBatchNorm1d(), nn.LazyLinear(1))
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    watcher = watch_loop(net, tmp_path, optimizer=optimizer)
    assert watcher.failure is None
    assert watcher.diagnosis["not_measured"] == []
    assert counts(tmp_path, "activation/00_tanh") == dict.fromkeys(range(12), 48)
    assert counts(tmp_path, "weight_grad/00_tanh") == dict.fromkeys(range(12), 32)
    assert counts(tmp_path, "weight_grad/02_lazylinear") == dict.fromkeys(range(12), 8)


class Bare(nn.Module):
    """Weights in its own hand, and no module that computes."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(torch.full((4, 8), 0.1))
        self.last = nn.ParameterList([nn.Parameter(torch.ones(8, 1))])

    def forward(self, x):
        return torch.tanh(x @ self.first) @ self.last[0]


class WithNothing(nn.Module):
    """A part of no width, as a search over widths makes it."""

    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 1)
        self.nothing = nn.Parameter(torch.empty(3, 0))

    def forward(self, x):
        return self.body(x) + self.nothing.sum()


@pytest.mark.parametrize(
    ("make", "measured"), [(Bare, {"first": 32, "last.0": 8}), (WithNothing, {"body": 4})]
)
def test_a_network_of_bare_or_of_empty_parameters_is_watched(tmp_path, make, measured):
    watcher = watch_loop(make(), tmp_path, 6)
    assert watcher.failure is None
    for place, elements in measured.items():
        histograms = layerscope.read(tmp_path).histograms
        (tag,) = (t for t in histograms if t.startswith("weight_grad/") and t.endswith(place))
        assert counts(tmp_path, tag) == dict.fromkeys(range(6), elements)


class Lending(nn.Module):
    """T5's `shared`: an embedding that is never called, and whose weight others have."""

    def __init__(self):
        super().__init__()
        self.shared, self.embed = nn.Embedding(9, 4), nn.Embedding(9, 4)
        self.spare, self.head = nn.Linear(4, 4), nn.Linear(4, 9, bias=False)
        self.embed.weight = self.head.weight = self.shared.weight
        self.by_kernel, self.act = nn.Linear(4, 4), nn.SiLU()  # as Mamba's

    def forward(self, x):
        return self.head(nn.functional.linear(self.embed(x), self.by_kernel.weight))


def test_a_module_that_is_not_called_is_listed_and_one_that_others_compute_for_as_that(
    tmp_path, caplog
):
    watcher = watch_loop(Lending(), tmp_path, 2, draw=lambda step: (torch.arange(9),))
    assert not [each for each in caplog.messages if "did not fire" in each]
    reasons = {each["layer"]: each["reason"] for each in watcher.diagnosis["not_measured"]}
    assert reasons["02_spare"] == NEVER_FIRED
    assert reasons["04_by_kernel"] == USED_BY_OTHERS


class Graph(nn.Module):
    """A graph's convolution, given sparse features."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 3))

    def forward(self, features, edges):
        return edges @ (features @ self.weight)


def test_a_layer_that_is_given_sparse_tensors_is_measured(tmp_path):
    features, edges = torch.eye(5, 4).to_sparse(), torch.eye(5).to_sparse()
    watcher = watch_loop(Graph(), tmp_path, 3, draw=lambda step: (features, edges))
    assert watcher.failure is None
    assert counts(tmp_path, "activation/00_graph") == dict.fromkeys(range(3), 15)


def test_a_layer_that_is_given_one_sparse_tensor_is_measured(tmp_path):
    net = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Tanh())
    watcher = watch_loop(net, tmp_path, 3, draw=lambda step: (torch.eye(5, 4).to_sparse(),))
    assert watcher.failure is None
    assert counts(tmp_path, "activation/00_tanh") == dict.fromkeys(range(3), 15)
