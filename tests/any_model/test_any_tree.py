"""Modules that are not what they seem: parametrised, lazy, scripted, used without being called."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear
from torch.nn.utils import parametrizations

from layerscope import LayerMonitor
from layerscope.events.reader import read_run
from tests.any_model.nets import Mlp, Net, TwoLayers, make, seeded, vectors
from tests.any_model.reference import run_plainly
from tests.any_model.training import EVERYTHING, figures, fit


def run(net, folder, **options):
    monitor = LayerMonitor(**options)
    fit(net, folder, monitor)
    assert monitor.failure is None
    return monitor, read_run(folder).histograms


def listed(monitor):
    return {missing["layer"]: missing["reason"] for missing in monitor.diagnosis["not_measured"]}


@pytest.mark.parametrize(
    "norm",
    [parametrizations.weight_norm, parametrizations.spectral_norm, parametrizations.orthogonal],
)
def test_a_parametrised_layer_is_a_layer_under_its_own_name(tmp_path, norm):
    def first():
        return norm(nn.Linear(4, 6))

    _, histograms = run(seeded(TwoLayers, first=first), tmp_path)
    assert histograms["activation/00_first"].steps.tolist() == list(range(6))
    assert histograms["activation_grad/00_first"].steps.tolist() == list(range(6))
    gradients = [tag for tag in histograms if tag.startswith("weight_grad/00_first")]
    assert gradients  # of the parameters that the optimizer has, whatever they are called


def test_a_lazy_layer_is_measured_from_its_first_step_on(tmp_path):
    class Lazy(TwoLayers):
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    _, histograms = run(seeded(Lazy, first=lambda: nn.LazyLinear(6)), tmp_path)
    for quantity in ("activation", "activation_grad", "weight_grad"):
        assert histograms[f"{quantity}/00_first"].steps.tolist() == list(range(6)), quantity
    assert histograms["weight/00_first"].buckets[0][:, 2].sum() == 4 * 6


def test_a_layer_whose_weights_are_used_without_calling_it_is_listed(tmp_path):
    class Bypassing(TwoLayers):
        def loss(self, batch):
            hidden = linear(batch[0], self.first.weight, self.first.bias).relu()
            return cross_entropy(self.head(hidden), batch[1])

    monitor, histograms = run(seeded(Bypassing), tmp_path)
    assert "activation/00_first" not in histograms
    assert histograms["weight_grad/00_first"].steps.tolist() == list(range(6))
    assert set(listed(monitor)) == {"00_first"}


def test_a_functional_call_is_measured_as_a_call(tmp_path):
    class Functional(TwoLayers):
        def loss(self, batch):
            own = dict(self.first.named_parameters())
            hidden = torch.func.functional_call(self.first, own, (batch[0],)).relu()
            return cross_entropy(self.head(hidden), batch[1])

    run(seeded(Functional), tmp_path)
    written, steps = figures(tmp_path), run_plainly(seeded(Functional))
    expected = [step.elements["activation", "00_first"].mean() for step in steps]
    np.testing.assert_allclose(written["activation_mean"][:, 0], expected, rtol=1e-4)


def test_layers_are_measured_where_they_are_called_plainly_and_not_under_vmap_and_grad(tmp_path):
    class PerSample(TwoLayers):
        """Adds the mean norm of the samples' own gradients to the loss."""

        def training_step(self, batch, batch_idx):
            weights = dict(self.first.named_parameters())

            def of_one(weights, x):
                return torch.func.functional_call(self.first, weights, (x,)).square().sum()

            each = torch.func.vmap(torch.func.grad(of_one), (None, 0))(weights, batch[0])
            return self.loss(batch) + each["weight"].square().mean()

    alone = seeded(PerSample)
    fit(alone, tmp_path / "alone")
    watched = seeded(PerSample)
    monitor, histograms = run(watched, tmp_path / "watched")
    for key, weight in watched.state_dict().items():
        assert torch.equal(weight, alone.state_dict()[key]), key
    assert histograms["activation/01_head"].steps.tolist() == list(range(6))
    assert not listed(monitor)
    assert histograms["activation/00_first"].steps.tolist() == list(range(6))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_the_inside_of_a_scripted_module_is_measured_or_listed(tmp_path):
    def first():
        return torch.jit.script(nn.Sequential(nn.Linear(4, 6), nn.Tanh()))

    monitor, histograms = run(seeded(TwoLayers, first=first), tmp_path)
    assert "activation/01_head" in histograms or "activation/02_head" in histograms
    inside = [tag for tag in histograms if tag.startswith("activation/") and "first" in tag]
    assert inside or any("first" in layer for layer in listed(monitor))


def test_parameters_that_stand_alone_are_not_mistaken_for_a_layer_that_was_never_reached(tmp_path):
    class Scaled(TwoLayers):
        def __init__(self):
            super().__init__()
            self.scales = nn.ParameterList([torch.ones(6), torch.ones(1)])

        def loss(self, batch):
            hidden = self.first(batch[0]).relu() * self.scales[0] + self.scales[1]
            return cross_entropy(self.head(hidden), batch[1])

    _, histograms = run(seeded(Scaled), tmp_path)
    for index in (0, 1):
        assert histograms[f"weight_grad/02_scales.{index}"].steps.tolist() == list(range(6))


def test_a_cell_that_a_loop_calls_is_one_layer_of_all_its_calls(tmp_path):
    class Looping(Net):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(4, 5)
            self.head = nn.Linear(5, 3)

        def loss(self, batch):
            x, y = batch
            state = torch.zeros(len(x), 5)
            for _ in range(1 + len(x) % 4):
                state = self.cell(x, state)
            return cross_entropy(self.head(state), y)

        def draw(self, size, generator):
            return vectors(int(torch.randint(3, 7, (), generator=generator)), generator)

    net = seeded(Looping)
    batches = net.batches()
    run(net, tmp_path)
    expected = [len(x) * 5 * (1 + len(x) % 4) for x, _ in batches]
    assert len(set(expected)) > 1
    written = figures(tmp_path)
    cell = [facts.name for facts in written.layers].index("00_cell")
    assert written["activation_count"][:, cell].tolist() == expected


def test_a_net_that_is_itself_a_layer_is_watched(tmp_path):
    class Alone(Net):
        """Its own parameters, and no child."""

        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 4))

        def forward(self, x):
            return linear(x, self.weight)

        def loss(self, batch):
            return cross_entropy(self(batch[0]), batch[1])

        def draw(self, size, generator):
            return vectors(size, generator)

    _, histograms = run(seeded(Alone), tmp_path)
    (gradients,) = [tag for tag in histograms if tag.startswith("weight_grad/")]
    assert histograms[gradients].steps.tolist() == list(range(6))


def test_a_layer_that_joins_in_the_middle_of_training_does_not_break_the_monitor(tmp_path):
    class Growing(Mlp):
        def training_step(self, batch, batch_idx):
            if batch_idx == 3:
                self.grown = nn.Linear(3, 3)
            loss = super().training_step(batch, batch_idx)
            return loss if batch_idx < 3 else loss + self.grown(self.net(batch[0])).square().mean()

    alone, watched = seeded(Growing), seeded(Growing)
    fit(alone, tmp_path / "alone")
    _, histograms = run(watched, tmp_path / "watched", quantities=EVERYTHING)
    assert histograms["activation/00_tanh"].steps.tolist() == list(range(6))
    for key, weight in watched.state_dict().items():
        assert torch.equal(weight, alone.state_dict()[key]), key


@pytest.mark.parametrize("name", ["resnet", "gpt", "lstm"])
def test_a_regular_expression_watches_those_layers_alone(tmp_path, name):
    monitor = LayerMonitor(layers="head")
    fit(make(name), tmp_path, monitor)
    names = {tag.split("/")[1] for tag in read_run(tmp_path).histograms}
    assert names == {"00_head"}
