"""Autograd tells which function an output has been through last."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.output_function import output_function

Z = torch.randn(6, 4, requires_grad=True)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("sigmoid", torch.sigmoid),
        ("tanh", torch.tanh),
        ("relu", torch.relu),
        ("softmax", lambda z: z.softmax(1)),
        ("log_softmax", lambda z: z.log_softmax(-1)),
        ("softplus", F.softplus),
        ("elu", F.elu),
        ("logsigmoid", F.logsigmoid),
        ("linear", lambda z: z @ z.T),
        ("linear", lambda z: z @ z.T + z[:, 0]),
        ("linear", lambda z: F.conv1d(z.T[None], z[:, :, None])),
        ("linear", lambda z: torch.nn.Bilinear(4, 4, 1, bias=False)(z, z)),
        ("linear", lambda z: (z * z.flip(0)).sum(1)),
        ("tanh", lambda z: torch.stack([z.tanh(), z.tanh()])),
        ("", lambda z: torch.stack([z.tanh(), z])),
        ("normalized", nn.BatchNorm1d(4, affine=False)),
        ("normalized", lambda z: F.layer_norm(z, (4,))),
        ("", nn.BatchNorm1d(4)),
        ("", nn.LayerNorm(4)),
        ("tanh", lambda z: nn.RNN(4, 3)(z)[0]),
        ("relu", lambda z: nn.RNN(4, 3, nonlinearity="relu")(z)[0]),
        ("recurrent", lambda z: nn.LSTM(4, 3)(z)[0]),
        ("recurrent", lambda z: nn.LSTM(4, 3, 2, bidirectional=True)(z)[1][0]),
        ("recurrent", lambda z: nn.GRU(4, 3)(z)[0][:, -1]),
        ("recurrent", lambda z: nn.LSTMCell(4, 3)(z)[0]),
        ("recurrent", lambda z: nn.GRUCell(4, 3)(z)),
        ("recurrent", lambda z: torch.sigmoid(z) * z.tanh()),
        ("clamp", lambda z: z.clamp(0, 1)),
        ("clamp", lambda z: z.clamp_min(0)),
        ("clamp", F.hardtanh),
        ("", lambda z: torch.sigmoid(z) * z),
        ("", lambda z: z.tanh() + z * torch.sigmoid(z)),
        ("", lambda z: torch.sigmoid(z).sum(1)),
        ("", lambda z: torch.sigmoid(z) + z),
        ("", lambda z: 3 * torch.sigmoid(z)),
    ],
)
def test_a_function_in_a_forward_is_known_by_its_name(name, function):
    assert output_function(function(Z)).name == name
    assert output_function(function(Z).unsqueeze(0).squeeze()).name == name


def test_a_tensor_without_a_graph_has_no_function():
    assert output_function(torch.ones(3)).name == ""


@pytest.mark.parametrize(
    ("function", "bounds"),
    [
        (lambda z: z.clamp(0, 1), (0, 1)),
        (lambda z: z.clamp(min=-2.0).flatten(), (-2, math.inf)),
        (lambda z: z.clamp_max(3), (-math.inf, 3)),
        (F.relu6, (0, 6)),
        (lambda z: z.clamp(torch.tensor(0.0), torch.tensor(1.0)), (-math.inf, math.inf)),
        (torch.relu, (-math.inf, math.inf)),
    ],
)
def test_a_clamp_by_numbers_is_told_with_its_bounds(function, bounds):
    assert output_function(function(Z)).bounds == bounds


@pytest.mark.parametrize(("axis", "over"), [(0, True), (-2, True), (1, False), (-1, False)])
def test_a_softmax_along_the_samples_is_told_by_its_axis(axis, over):
    assert output_function(Z.softmax(axis)).over_samples is over
    assert output_function(Z.log_softmax(axis)).over_samples is over


def test_a_softmax_of_one_number_per_node_is_none_over_samples():
    assert not output_function(Z[:, :1].softmax(0)).over_samples
    assert not output_function(Z[0].softmax(0)).over_samples


@pytest.mark.parametrize(("axis", "along"), [(0, 0), (1, 1), (-2, 1), (2, 2)])
def test_the_axis_of_a_softmax_is_told_unless_axes_were_moved(axis, along):
    output = torch.ones(2, 3, 4, requires_grad=True)
    assert output_function(output.log_softmax(axis)).axis == along
    assert output_function(output.log_softmax(axis).mT).axis is None
    assert output_function(output.sigmoid()).axis is None


def test_a_fixed_number_times_cosines_is_told():
    directions, learned = torch.randn(3, 5), nn.Parameter(torch.tensor(2.0))

    def scale(change, normal=nn.functional.normalize):
        product = (
            normal(torch.randn(4, 5, requires_grad=True))
            @ normal(1 * directions.requires_grad_()).T
        )
        return output_function(change(product)).cosine_scale

    assert scale(lambda cosines: cosines) == 1
    assert scale(lambda cosines: (16 * cosines)[:, None] / 4) == 4
    for change in (
        lambda cosines: learned * cosines,
        lambda cosines: cosines * torch.ones(3),
        lambda cosines: 16 * cosines - 1,
    ):
        assert math.isnan(scale(change))
    assert math.isnan(scale(lambda product: 16 * product, normal=lambda x: x))
