"""Every floating tensor that a layer returns, by its path; calls merged or kept apart."""

import numpy as np
import pytest
import torch
from torch import nn

from layerscope import LayerMonitor
from layerscope.events.reader import read_run
from tests.any_model.nets import PATHS, Mlp, Net, make, seeded, vectors
from tests.any_model.reference import Witness, expected_figure, run_plainly
from tests.any_model.training import figures, fit, seed_all


def activations(folder):
    return {tag for tag in read_run(folder).histograms if tag.startswith("activation/")}


@pytest.mark.parametrize("shape", PATHS)
def test_every_floating_tensor_of_an_output_is_named_by_its_path(tmp_path, shape):
    monitor = LayerMonitor()
    fit(make(f"returns_{shape}"), tmp_path, monitor)
    assert activations(tmp_path) == {
        "activation/00_first",
        *(f"activation/01_shaped.{path}" for path in PATHS[shape]),
        "activation/02_head",
    }
    assert monitor.diagnosis["not_measured"] == []


def test_a_packed_sequence_is_measured_without_its_padding(tmp_path):
    net = make("lstm")
    batches = net.batches()
    fit(net, tmp_path, LayerMonitor(), batches=batches)
    written = figures(tmp_path)
    names = [facts.name for facts in written.layers]
    counts = dict(zip(names, written["activation_count"].T, strict=True))
    words = np.array([int(lengths.sum()) for _, lengths, _ in batches])
    assert len(set(words.tolist())) > 1
    np.testing.assert_array_equal(counts["01_lstm.0.data"], words * 6)
    for state in ("01_lstm.1.0", "01_lstm.1.1"):
        np.testing.assert_array_equal(counts[state], 2 * 6 * 6)  # layers, samples, units


def test_attention_without_weights_has_one_output_and_with_weights_two(tmp_path):
    class Attending(Net):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Linear(4, 4)
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

        def training_step(self, batch, batch_idx):
            x = self.embedding(batch).unsqueeze(0)
            y, weights = self.attention(x, x, x, need_weights=batch_idx > 2)
            assert (weights is None) == (batch_idx <= 2)
            return y.square().mean()

        def draw(self, size, generator):
            return torch.randn(size, 4, generator=generator)

    fit(seeded(Attending), tmp_path, LayerMonitor())
    histograms = read_run(tmp_path).histograms
    assert histograms["activation/01_attention.0"].steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert histograms["activation/01_attention.1"].steps.tolist() == [3, 4, 5]


@pytest.mark.parametrize("returns", ["integers", "nothing"])
def test_a_layer_that_returns_no_floats_is_listed_with_the_reason(tmp_path, returns):
    monitor = LayerMonitor()
    fit(make(f"returns_{returns}"), tmp_path, monitor)
    assert activations(tmp_path) == {"activation/01_head"}
    assert "weight_grad/00_side" in read_run(tmp_path).histograms
    (missing,) = monitor.diagnosis["not_measured"]
    assert missing["layer"] == "00_side"
    assert {"integers": "int64", "nothing": "None"}[returns] in missing["reason"]


def test_the_pre_activation_is_the_one_before_a_change_in_place(tmp_path):
    class InPlace(Net):
        """A linear layer whose output is then overwritten three times."""

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)
            self.relu = nn.ReLU(inplace=True)
            self.head = nn.Linear(4, 3)

        def loss(self, batch):
            x, y = batch
            z = self.linear(x)
            z += x
            z[:, :2] *= 3.0
            return nn.functional.cross_entropy(self.head(self.relu(z.view(-1, 4))), y)

        def draw(self, size, generator):
            return vectors(size, generator)

    fit(seeded(InPlace), tmp_path, LayerMonitor())
    written = figures(tmp_path)
    net = seeded(InPlace)
    x, y = net.batches()[0]
    before = net.linear(x)
    before.retain_grad()
    after = (before.clone() + x) * torch.tensor([3.0, 3.0, 1.0, 1.0])
    nn.functional.cross_entropy(net.head(after.relu()), y).backward()
    assert written["activation_mean"][0, 0] == pytest.approx(before.mean().item(), rel=1e-5)
    assert written["activation_std"][0, 0] == pytest.approx(before.std().item(), rel=1e-5)
    assert written["activation_grad_rms"][0, 0] == pytest.approx(
        before.grad.square().mean().sqrt().item(), rel=1e-5
    )


@pytest.mark.parametrize("name", ["siamese", "gan"])
def test_calls_of_one_module_are_merged_or_kept_apart_as_asked(tmp_path, name):
    for per_call in (False, True):
        folder = tmp_path / str(per_call)
        fit(make(name), folder, LayerMonitor(per_call=per_call))
        steps = run_plainly(make(name), per_call=per_call)
        written = figures(folder)
        names = [facts.name for facts in written.layers]
        assert any(".call_1" in each for each in names) == per_call
        for figure in ("activation_count", "activation_mean", "activation_grad_rms"):
            for at, step in enumerate(steps):
                for quantity, layer in step.elements:
                    if quantity == "activation":
                        found = written[figure][at, names.index(layer)]
                        expected = expected_figure(step, figure, layer)
                        if np.isnan(expected):
                            assert not found > 0
                        else:
                            assert found == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_weights_have_the_bare_name_also_where_calls_are_kept_apart(tmp_path):
    fit(make("siamese"), tmp_path, LayerMonitor(per_call=True))
    tags = {tag for tag in read_run(tmp_path).histograms if "log10" not in tag}
    assert tags == {
        *(f"{q}/00_tanh.call_{i}" for q in ("activation", "activation_grad") for i in (0, 1)),
        *(f"{q}/01_linear.call_{i}" for q in ("activation", "activation_grad") for i in (0, 1)),
        *(f"{q}/{layer}" for q in ("weight", "weight_grad") for layer in ("00_tanh", "01_linear")),
    }


def test_an_output_that_needs_no_gradient_has_an_activation_alone(tmp_path):
    class Probed(Mlp):
        def __init__(self):
            super().__init__()
            self.probe = nn.Linear(3, 3)

        def loss(self, batch):
            with torch.no_grad():
                self.probe(batch[0][:, :3])
            return super().loss(batch)

    fit(seeded(Probed), tmp_path, LayerMonitor())
    tags = {tag for tag in read_run(tmp_path).histograms if "probe" in tag}
    assert tags == {"activation/03_probe", "weight/03_probe"}


def test_the_witness_names_a_single_tensor_by_the_layer_alone():
    net = make("siamese")
    witness = Witness(net, [])
    seed_all()
    net.loss(net.batches(1)[0])
    assert [name for name, _, _ in witness._kept] == ["00_tanh", "01_linear"] * 2
