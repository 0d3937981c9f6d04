"""How many values a normalisation takes together is read off autograd's graph."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.layer_graph import wiring
from layerscope.record.graph.norms_of_few import NormsWithoutParameters, few_together
from layerscope.record.graph_nodes import behind


def by_hand(x, axes, keepdim=True):
    mean, variance = x.mean(axes, keepdim=keepdim), x.var(axes, correction=0, keepdim=keepdim)
    return (x - mean) / (variance + 1e-5).sqrt()


def by_var_mean(x, axis):
    variance, mean = torch.var_mean(x, axis, correction=0, keepdim=True)
    return (x - mean) * (variance + 1e-5).rsqrt()


def of_a_flat_view(x):
    flat = x.flatten(2)
    mean, deviation = flat.mean(-1)[:, :, None, None], flat.std(-1, correction=0)
    return (x - mean) / (deviation[:, :, None, None] + 1e-5)


def scaled_first(x):
    mean, variance = x.mean((2, 3), keepdim=True), (x - x.mean((2, 3), keepdim=True)).square()
    scale = torch.ones(6, 1, 1, requires_grad=True)
    return scale * (x - mean) / (variance.mean((2, 3), keepdim=True) + 1e-5) ** 0.5


MAPS = (4, 6, 1, 1)

TOLD = [
    (lambda x: F.group_norm(x, 6), MAPS, 1),
    (lambda x: F.group_norm(x, 3), MAPS, 2),
    (lambda x: F.group_norm(x, 2), MAPS, 0),  # of three
    (lambda x: F.group_norm(x, 6), (4, 6, 3, 3), 0),
    (lambda x: F.layer_norm(x, (1,)), MAPS, 1),
    (lambda x: F.layer_norm(x, (6, 1, 1)), MAPS, 0),
    (lambda x: by_hand(x, (2, 3)), MAPS, 1),
    (lambda x: by_hand(x, (-2, -1)), MAPS, 1),
    (lambda x: by_hand(x, (2, 3)), (4, 6, 2, 1), 2),
    (lambda x: by_hand(x, (2, 3)), (4, 6, 3, 1), 0),
    (lambda x: by_hand(x, (1, 2, 3)), MAPS, 0),
    (lambda x: by_hand(x, (0, 2, 3)), (1, 6, 1, 1), 0),  # over the samples, of which others follow
    (lambda x: by_var_mean(x, 2), (4, 6, 1), 1),
    (lambda x: by_var_mean(x, 2), (4, 6, 5), 0),
    (of_a_flat_view, MAPS, 1),
    (of_a_flat_view, (4, 6, 2, 2), 0),
    (scaled_first, MAPS, 1),
    (scaled_first, (4, 6, 2, 2), 0),
    # A dueling network's advantages: nothing is divided. And what is not its own mean.
    (lambda x: x - x.mean(1, keepdim=True), (4, 1), 0),
    (lambda x: (x - x.mean(1, keepdim=True)) * x.tanh(), (4, 1), 0),
    (lambda x: (x - (2 * x).mean(1, keepdim=True)) / x.std(0), (4, 1), 0),
]


@pytest.mark.parametrize("number", range(len(TOLD)))
def test_the_values_of_a_normalisation_are_counted_where_they_are_one_or_two(number):
    normalize, shape, few = TOLD[number]
    x = torch.randn(shape, requires_grad=True) * 2
    output = normalize(x) * 3 + 1
    assert max(map(few_together, behind(output.grad_fn, (x.grad_fn,)))) == few


def test_a_module_without_parameters_that_normalises_is_named():
    norm, x = nn.GroupNorm(6, 6, affine=False), torch.randn(4, 6, requires_grad=True)
    network = nn.Sequential(nn.Flatten(), norm, nn.ReLU())
    norms = NormsWithoutParameters()
    output = x * 2
    for module in network:
        given, output = output, module(output)
        norms.note(module, (given,), output)
    norms.note(network, (x,), output)
    assert list(norms.take(network).values()) == ["1 (GroupNorm)"]
    norms.forget()
    assert not norms.take(network)


@pytest.mark.parametrize("residual", [False, True])
def test_of_a_layer_all_of_whose_input_was_so_normalised_it_is_told(residual):
    first, last = nn.Linear(3, 6), nn.Linear(6, 2)
    hidden = first(torch.randn(4, 3))
    normalized = F.group_norm(hidden, 6)
    output = last(hidden + normalized if residual else normalized)
    layers = ("first", first, first, hidden.grad_fn), ("last", last, last, output.grad_fn)
    made = wiring(layers, normalizing={normalized.grad_fn: "norm (Norm)"})
    assert made["first"].normalized_of == 0
    assert (made["last"].normalized_of, made["last"].none_passes) == (1, not residual)
    assert made["last"].normalized_by == "norm (Norm)"
