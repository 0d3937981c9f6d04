"""What theory expects of a network that was just initialised, beside what one batch measures."""

import json
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from layerscope.lab.data import NamesData
from layerscope.lab.init import (
    LSUV,
    InitScheme,
    critical_gain,
    critical_scaling,
    orthogonal,
    variance_scaling,
)
from layerscope.lab.mlp import ACTIVATIONS, MLP
from layerscope.lab.predict_network import predict_network
from layerscope.theory import PredictionSummary, departures_in_words

SEEDS = range(10)
BIAS_STD = 0.004483


def schemes(activation):
    return {
        "random": InitScheme(variance_scaling(1.0, "constant", "normal"), bias_std=1.0),
        "kaiming": InitScheme(variance_scaling(2.0, "fan_in", "normal")),
        "xavier": InitScheme(variance_scaling(1.0, "fan_in", "normal")),
        "orthogonal": InitScheme(
            orthogonal(), critical_gain(activation, BIAS_STD), bias_std=BIAS_STD
        ),
        "critical": InitScheme(critical_scaling(activation, BIAS_STD), bias_std=BIAS_STD),
        "lsuv": LSUV(),
    }


@pytest.fixture(scope="module")
def batch():
    """Contexts and targets of the default run's kind: 1,024 examples of real names."""
    data = NamesData()
    data.setup()
    return next(iter(data.train_dataloader()))


def initialised(scheme, batch, seed=0, **sizes):
    network = MLP(27, 3, 27, **sizes)
    scheme(network, torch.Generator().manual_seed(seed), batch[0])
    return network


_FUNCTIONS = tuple(type(make()) for make in ACTIVATIONS.values())


def measured(network, batch):
    """Std of the outputs, and RMS of d loss / d outputs, of each hidden layer: the obvious way."""
    outputs = []

    def keep(_module, _inputs, output):
        output.retain_grad()
        outputs.append(output)

    handles = [
        module.register_forward_hook(keep)
        for module in network.modules()
        if isinstance(module, _FUNCTIONS)
    ]
    cross_entropy(network(batch[0]), batch[1]).backward()
    for handle in handles:
        handle.remove()
    stds = [output.std(correction=0).item() for output in outputs]
    return stds, [output.grad.square().mean().sqrt().item() for output in outputs]


def double(network):
    with torch.no_grad():
        network.get_submodule("4").weight.mul_(2)


def leave_out(network):
    network._modules["5"] = nn.Identity()


def errors_of(got, network, batch):
    """Measured over predicted, in ln, of each layer: std, and gradient beside the last one's."""
    stds, rms = measured(network, batch)
    assert departures_in_words(got, stds, rms) == []
    of_gradient = np.log(rms) - np.log(rms[-1]) - np.log(got.activation_grad)
    return np.log(stds) - np.log(got.std), of_gradient


@pytest.mark.parametrize("init", schemes("tanh"))
def test_a_tanh_net_is_as_expected_under_every_init(init, batch):
    """The mean over 10 seeds, in ln: std within 3 %, gradient within 8 %."""
    scheme = schemes("tanh")[init]
    errors = []
    for seed in SEEDS:
        network = initialised(scheme, batch, seed)
        got = predict_network(network, scheme, batch[0], 0.97, batch[1])
        errors.append(errors_of(got, network, batch))
    std, gradient = np.abs(np.mean(errors, axis=0))
    assert std.max() < 0.03
    assert gradient.max() < 0.08


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "sigmoid", "elu", "identity"])
@pytest.mark.parametrize("init", schemes("tanh"))
def test_healthy_nets_of_every_activation_are_not_unexpected(init, activation, batch):
    scheme = schemes(activation)[init]
    for seed in (0, 1):
        network = initialised(scheme, batch, seed, activation=activation)
        got = predict_network(network, scheme, batch[0])
        assert departures_in_words(got, *measured(network, batch)) == []


@pytest.mark.parametrize(("activation", "init"), [("tanh", "random"), ("relu", "kaiming")])
@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_a_net_with_a_norm_is_as_expected_whatever_its_init(norm, activation, init, batch):
    """The mean over 3 seeds, in ln: std within 5 %, gradient within 20 %."""
    scheme = schemes(activation)[init]
    errors = []
    for seed in range(3):
        network = initialised(scheme, batch, seed, activation=activation, norm=norm)
        got = predict_network(network, scheme, batch[0], 0.97, batch[1])
        errors.append(errors_of(got, network, batch))
    std, gradient = np.abs(np.mean(errors, axis=0))
    assert std.max() < 0.05
    assert gradient.max() < 0.2
    assert (
        got.choice
        == f"The {norm} norm sets the variance, whatever the init: theory has none to choose."
    )


def test_a_net_that_grows_to_1e8_is_not_unexpected(batch):
    scheme = schemes("relu")["random"]
    network = initialised(scheme, batch, depth=10, activation="relu")
    got = predict_network(network, scheme, batch[0])
    stds, rms = measured(network, batch)
    assert stds[-1] > 1e8
    assert departures_in_words(got, stds, rms) == []


def test_a_deep_net_is_not_unexpected(batch):
    scheme = schemes("tanh")["orthogonal"]
    network = initialised(scheme, batch, depth=60)
    got = predict_network(network, scheme, batch[0])
    assert got.depth == 60
    assert departures_in_words(got, *measured(network, batch)) == []


@pytest.mark.parametrize(
    ("activation", "init", "bug"),
    [
        ("tanh", "kaiming", double),
        ("tanh", "xavier", double),
        ("tanh", "orthogonal", double),
        ("tanh", "kaiming", leave_out),
        ("tanh", "lsuv", leave_out),
        ("relu", "kaiming", double),
        ("relu", "kaiming", leave_out),
    ],
)
def test_a_planted_bug_is_named_by_its_layer(activation, init, bug, batch):
    scheme = schemes(activation)[init]
    for seed in SEEDS:
        network = initialised(scheme, batch, seed, activation=activation)
        bug(network)
        found = departures_in_words(
            predict_network(network, scheme, batch[0]), *measured(network, batch)
        )
        assert found, f"seed {seed}"
        assert (found[0]["layer"], found[0]["quantity"]) == (2, "std")
        assert found[0]["sentence"].startswith("hidden layer 3 of 5: outputs with a std of ")
        assert "far from theory" in found[0]["sentence"]


def test_json_gives_back_what_it_got(batch):
    for activation in ("tanh", "relu"):  # relu has no saturated share
        scheme = schemes(activation)["kaiming"]
        got = predict_network(initialised(scheme, batch, activation=activation), scheme, batch[0])
        written = json.loads(json.dumps(got.as_json(), allow_nan=False))
        assert PredictionSummary.of_json(written) == got
        assert written["layers"][2]["std"] == got.std[2]
        assert written["layers"][0]["width"] == 100
        assert (written["layers"][0]["saturated"] is None) == (activation == "relu")
        assert written["phase"]["sigma_w2"] == 2
        assert written["source"] == "measured"
    assert got.phase.survives == np.inf
    assert written["phase"]["survives"] == "inf"


def test_the_inputs_are_those_of_the_batch(batch):
    scheme = schemes("tanh")["kaiming"]
    network = initialised(scheme, batch)
    got = predict_network(network, scheme, batch[0], 0.97, batch[1])
    examples = network.get_submodule("embedding")(batch[0]).flatten(1)
    assert got.second_moment == pytest.approx(examples.square().mean().item(), rel=1e-5)
    assert (got.batch, got.saturation_threshold) == (1024, 0.97)
    # Two names share their next letter more often than chance: the gradients have that in common.
    assert got.weight_grad != predict_network(network, scheme, batch[0]).weight_grad


def test_nothing_changes_no_module_is_called_and_nothing_is_drawn(batch):
    scheme = schemes("tanh")["kaiming"]
    network = initialised(scheme, batch)
    network.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    stream = torch.get_rng_state()
    called = []
    for module in network.modules():
        module.register_forward_hook(lambda module, *_: called.append(module))
    predict_network(network, scheme, batch[0], 0.97, batch[1])
    assert called == []
    assert not network.training
    assert torch.equal(torch.get_rng_state(), stream)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(parameter.grad is None for parameter in network.parameters())


def test_what_theory_cannot_speak_of_has_a_reason(batch):
    network = initialised(schemes("tanh")["kaiming"], batch)
    got = predict_network(network, lambda *_: None, batch[0])
    assert (got.depth, got.phase, got.reason) == (
        0,
        None,
        "function does not tell theory its variances",
    )
    assert PredictionSummary.of_json(got.as_json()) == got
    assert departures_in_words(got, [1.0], [1.0]) == []
    for cure, why in (
        ({"norm": "batch"}, "model.norm=batch makes each depend on its batch"),
        ({"residual": True}, "model.residual=true adds each to the one before"),
        ({"norm": "layer", "residual": True}, "model.residual=true adds each to the one before"),
    ):
        cured = predict_network(
            initialised(schemes("tanh")["kaiming"], batch, **cure),
            schemes("tanh")["kaiming"],
            batch[0],
        )
        assert cured.depth == 0
        assert cured.reason.endswith(why)
    unset = predict_network(MLP(27, 3, 27), schemes("tanh")["kaiming"], batch[0])
    assert unset.reason == "inputs must be finite, got NaN or inf"


@pytest.mark.parametrize("gain", [0.0, 1e30])
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_weights_of_any_size_raise_nothing(gain, activation, batch):
    scheme = InitScheme(variance_scaling(1.0, "fan_in", "normal"), gain=gain)
    network = initialised(scheme, batch, activation=activation)
    got = predict_network(network, scheme, batch[0], 0.97, batch[1])
    assert json.dumps(got.as_json(), allow_nan=False)
    assert isinstance(departures_in_words(got, *measured(network, batch)), list)


def test_it_takes_little_of_a_runs_start(batch):
    scheme = schemes("tanh")["kaiming"]
    for depth, seconds in ((10, 0.3), (300, 2.0)):
        network = initialised(scheme, batch, depth=depth)
        started = time.process_time()
        predict_network(network, scheme, batch[0], 0.97, batch[1])
        assert time.process_time() - started < seconds
