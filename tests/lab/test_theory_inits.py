"""The inits that theory or data choose: critical, orthogonal with its gain, LSUV."""

import math
import re

import pytest
import torch
from torch import nn

from layerscope.lab.init import (
    LSUV,
    InitScheme,
    critical_gain,
    critical_scaling,
    orthogonal,
    variance_scaling,
)
from layerscope.lab.mlp import MLP
from layerscope.theory import Inputs, predict

BIAS_STD = 0.05**0.5


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def contexts(rows: int = 27, examples: int = 512) -> torch.Tensor:
    return torch.randint(rows, (examples, 3), generator=seeded(1))


def outputs(network: MLP, batch: torch.Tensor) -> list[torch.Tensor]:
    """Of the Linear layers, logits included."""
    seen: list[torch.Tensor] = []
    handles = [
        module.register_forward_hook(lambda *call: seen.append(call[-1]))
        for module in network.modules()
        if isinstance(module, nn.Linear)
    ]
    with torch.no_grad():
        network(batch)
    for handle in handles:
        handle.remove()
    return seen


def test_critical_weights_have_the_variance_that_theory_solves_for():
    draw = critical_scaling("tanh", BIAS_STD)
    assert draw.variance(200, 300) == pytest.approx(1.7610 / 200, rel=1e-4)
    assert draw(200, 300, seeded()).std().item() == pytest.approx(math.sqrt(1.7610 / 200), rel=0.01)


@pytest.mark.parametrize(
    ("activation", "gain"), [("tanh", 1.0), ("relu", math.sqrt(2)), ("identity", 1.0)]
)
def test_without_biases_the_critical_gain_is_the_papers(activation, gain):
    assert critical_gain(activation, 0.0) == pytest.approx(gain)


def test_a_critical_tanh_net_keeps_the_gradient_over_its_depth():
    network = MLP(27, 3, 27, depth=20, width=400, activation="tanh")
    InitScheme(critical_scaling("tanh", BIAS_STD), bias_std=BIAS_STD)(network, seeded())
    grads: list[torch.Tensor] = []
    for module in network.modules():
        if isinstance(module, nn.Tanh):
            module.register_forward_hook(lambda *call: call[-1].retain_grad() or keep(call[-1]))

    def keep(tensor: torch.Tensor) -> None:
        grads.append(tensor)

    logits = network(contexts())
    (logits * torch.randn(logits.shape, generator=seeded(2))).sum().backward()
    rms = [tensor.grad.square().mean().sqrt().item() for tensor in grads]
    assert 0.7 < rms[0] / rms[-1] < 1.4


@pytest.mark.parametrize(
    "scheme",
    [
        InitScheme(variance_scaling(2.0, "fan_avg", "uniform"), gain=0.5, bias_std=0.3),
        InitScheme(orthogonal(), gain=1.3),
    ],
)
def test_a_scheme_tells_theory_the_variances_that_it_draws(scheme):
    network = MLP(27, 3, 27, widths=[300, 500, 200])
    scheme(network, seeded())
    layers = scheme.layers([30, 300, 500, 200], "tanh", 1.0)
    assert [(layer.fan_in, layer.fan_out) for layer in layers] == [
        (30, 300),
        (300, 500),
        (500, 200),
    ]
    for layer, name in zip(layers, ("0", "2", "4"), strict=True):
        linear = network.get_submodule(name)
        mean_square = linear.weight.square().mean().item()
        assert mean_square == pytest.approx(layer.weight_variance, rel=0.05)
        spread = linear.bias.square().mean().item()
        assert spread == pytest.approx(layer.bias_variance, rel=0.25)  # of 200 biases: 10 %
    table = network.get_submodule("embedding").weight.square().mean().item()
    assert table == pytest.approx(scheme.embedding_second_moment(27, 10), rel=0.2)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_lsuv_gives_every_layer_a_variance_of_1_on_its_batch(activation):
    network = MLP(27, 3, 27, depth=12, width=50, activation=activation)
    LSUV()(network, seeded(), contexts())
    for output in outputs(network, contexts()):
        assert output.var(correction=0).item() == pytest.approx(1, rel=1e-4)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            assert torch.count_nonzero(module.bias) == 0
        assert not module._forward_hooks


def test_lsuv_keeps_the_weights_orthogonal():
    network = MLP(27, 3, 27, depth=3, width=40)
    LSUV(embedding="scheme")(network, seeded(), contexts())
    weight = network.get_submodule("2").weight.detach()
    product = weight @ weight.T
    torch.testing.assert_close(product, torch.eye(40) * product[0, 0], atol=1e-5, rtol=0)


def test_theory_knows_what_lsuv_will_do():
    network = MLP(27, 3, 27, depth=3, width=2000)
    LSUV()(network, seeded(), contexts())
    layers = LSUV().layers([30, 2000, 2000, 2000], "tanh", 1.0)
    assert predict(layers, Inputs()).variance.tolist() == pytest.approx([1, 1, 1])
    for layer, name in zip(layers[1:], ("2", "4"), strict=True):
        mean_square = network.get_submodule(name).weight.square().mean().item()
        assert mean_square == pytest.approx(layer.weight_variance, rel=0.05)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: critical_gain("tan", 0.0), "activation must be one of .*, got 'tan'"),
        (
            lambda: critical_scaling("tanh", -1.0),
            "bias_std must be a finite number of at least 0, got -1.0",
        ),
        (
            lambda: critical_gain("gelu", 0.1),
            "gelu has no critical weight variance for a bias variance of 0.01, .* at least 0.1730",
        ),
        (lambda: LSUV(embedding="zero"), "embedding must be one of unit, scheme, got 'zero'"),
        (
            lambda: LSUV()(MLP(27, 3, 27), seeded()),
            "init=lsuv scales weights to a batch of data, got none",
        ),
    ],
)
def test_a_bad_argument_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        call()


def test_lsuv_names_the_layer_whose_outputs_are_all_alike():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    sentence = "got a standard deviation of 0 at layer '0' on the batch"
    with pytest.raises(ValueError, match=f"outputs that vary, {re.escape(sentence)}$"):
        LSUV()(network, seeded(), torch.zeros(5, 3))
    assert not network[0]._forward_hooks
