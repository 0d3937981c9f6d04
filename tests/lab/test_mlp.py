import re

import numpy as np
import pytest
import torch
from torch import nn

from layerscope.lab.hidden_layers import NORM_NAMES
from layerscope.lab.init import InitScheme, variance_scaling
from layerscope.lab.mlp import ACTIVATIONS, MLP, NORMS

scheme = InitScheme(variance_scaling(1.0, "fan_in", "normal"), bias_std=0.1)


def test_the_children_are_named_in_network_order():
    model = MLP(embedding_rows=27, context_length=3, classes=27, depth=2, activation="relu")
    assert [(key, type(module)) for key, module in model.named_children()] == [
        ("embedding", nn.Embedding),
        ("flatten", nn.Flatten),
        ("0", nn.Linear),
        ("1", nn.ReLU),
        ("2", nn.Linear),
        ("3", nn.ReLU),
        ("logits", nn.Linear),
    ]


def test_the_defaults_are_five_tanh_layers_of_100_units():
    model = MLP(embedding_rows=27, context_length=3, classes=27)
    linears = [module for module in model if isinstance(module, nn.Linear)]
    assert [tuple(linear.weight.shape) for linear in linears] == [
        (100, 30),
        *[(100, 100)] * 4,
        (27, 100),
    ]
    assert sum(isinstance(module, nn.Tanh) for module in model) == 5


def test_widths_take_the_place_of_depth_and_width():
    model = MLP(embedding_rows=5, context_length=2, classes=4, depth=9, width=9, widths=[7, 3])
    sizes = [module.out_features for module in model if isinstance(module, nn.Linear)]
    assert sizes == [7, 3, 4]


def test_the_logits_are_those_of_a_loop_over_the_layers_in_numpy():
    model = MLP(embedding_rows=6, context_length=2, classes=4, embedding_dim=3, widths=[5, 7])
    scheme(model, torch.Generator().manual_seed(0))
    contexts = torch.tensor([[0, 5], [3, 3], [2, 1]])

    weights = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    rows = [np.concatenate([weights["embedding.weight"][i] for i in row]) for row in contexts]
    h = np.stack(rows)
    for key in ("0", "2"):
        h = np.tanh(h @ weights[f"{key}.weight"].T + weights[f"{key}.bias"])
    expected = h @ weights["logits.weight"].T + weights["logits.bias"]

    logits = model(contexts)
    assert logits.dtype == torch.float32
    np.testing.assert_allclose(logits.detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def normalised(z, norm):
    """What each norm makes of pre-activations [B, width], in NumPy."""
    axis = 0 if norm == "batch" else 1
    if norm != "rms":
        z = z - z.mean(axis=axis, keepdims=True)
    return z / np.sqrt(np.square(z).mean(axis=axis, keepdims=True) + 1e-5)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("norm", [None, *NORMS])
def test_the_cure_is_what_its_papers_say(norm, residual):
    model = MLP(6, 2, 4, embedding_dim=3, widths=[5, 5, 7], norm=norm, residual=residual)
    scheme(model, torch.Generator().manual_seed(0))
    contexts = torch.tensor([[0, 5], [3, 3], [2, 1], [4, 4]])

    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    h = model.get_submodule("embedding")(contexts).flatten(1).detach().double().numpy()
    for linear in linears[:-1]:
        weight, bias = (each.detach().double().numpy() for each in linear.parameters())
        z = h @ weight.T + bias
        put_out = np.tanh(z if norm is None else normalised(z, norm))
        h = h + put_out if residual and h.shape == put_out.shape else put_out
    weight, bias = (each.detach().double().numpy() for each in linears[-1].parameters())
    np.testing.assert_allclose(
        model(contexts).detach().numpy(), h @ weight.T + bias, rtol=1e-4, atol=1e-5
    )


def test_theory_is_told_the_norms_that_there_are():
    assert tuple(NORMS) == NORM_NAMES


def test_a_norm_starts_as_one_that_changes_nothing_and_draws_nothing():
    plain, cured = (MLP(6, 2, 4, depth=2, width=9, norm=norm) for norm in (None, "batch"))
    for model in (plain, cured):
        scheme(model, torch.Generator().manual_seed(0))
    norm = next(module for module in cured if isinstance(module, nn.BatchNorm1d))
    assert (norm.weight == 1).all()
    assert (norm.bias == 0).all()
    assert (norm.running_mean == 0).all()
    assert (norm.running_var == 1).all()
    of = [
        [m.weight for m in model.modules() if isinstance(m, nn.Linear)] for model in (plain, cured)
    ]
    for before, after in zip(*of, strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_built_and_works_on_a_copy(activation):
    model = MLP(embedding_rows=6, context_length=2, classes=4, depth=1, activation=activation)
    scheme(model, torch.Generator().manual_seed(0))
    before = model.get_submodule("0")(torch.ones(1, 20))
    kept = before.clone()
    model.get_submodule("1")(before)
    assert torch.equal(before, kept)


def test_building_draws_nothing_and_leaves_every_parameter_to_the_scheme():
    before = torch.get_rng_state()
    model = MLP(embedding_rows=27, context_length=3, classes=27)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(parameter.isnan().all() for parameter in model.parameters())
    scheme(model, torch.Generator().manual_seed(0))
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"embedding_rows": 0}, "embedding_rows must be at least 1, got 0"),
        ({"context_length": 0}, "context_length must be at least 1, got 0"),
        ({"classes": 0}, "classes must be at least 1, got 0"),
        ({"embedding_dim": 0}, "embedding_dim must be at least 1, got 0"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"widths": []}, "widths must name at least 1 hidden layer, got none"),
        ({"widths": [9, 0]}, "widths[1] must be at least 1, got 0"),
        (
            {"activation": "softmax"},
            f"activation must be one of {', '.join(ACTIVATIONS)}, got 'softmax'",
        ),
        ({"norm": "group"}, "norm must be one of batch, layer, rms, got 'group'"),
        (
            {"widths": [9, 8], "residual": True},
            "residual needs two layers in a row of one size, got 30, 9, 8",
        ),
    ],
)
def test_a_bad_argument_is_refused_in_one_sentence(arguments, sentence):
    sizes = {"embedding_rows": 27, "context_length": 3, "classes": 27}
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        MLP(**{**sizes, **arguments})
