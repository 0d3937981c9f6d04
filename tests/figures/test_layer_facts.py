"""What does not change about layers: how many inputs each output of a matrix is made of."""

import pytest
import torch
from torch import nn

from layerscope import watch
from layerscope.events.reader import read_run
from layerscope.sinks.figures_event import figure_sets
from tests.usual_step import descend


class Turned(nn.Module):
    """GPT-2's linear layer: a weight of [inputs, outputs]."""

    def __init__(self, inputs, outputs, heads=0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) / inputs**0.5)
        self.heads = heads

    def forward(self, x):
        y = x @ self.weight
        return y.unflatten(-1, (self.heads, -1)) if self.heads else y


class Usual(nn.Module):
    """By hand, and with torch's [outputs, inputs]."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / inputs**0.5)

    def forward(self, x):
        return x @ self.weight.T


class OverChannels(Usual):
    """A convolution of size 1: [batch, inputs, place] to [batch, outputs, place]."""

    def forward(self, x):
        return torch.einsum("oi,bip->bop", self.weight, x)


class Bare(nn.Module):
    """A weight with a name of its own, which takes the input from the left or from the right."""

    def __init__(self, *shape, beside=False):
        super().__init__()
        self.w = nn.Parameter(torch.randn(*shape) / shape[0] ** 0.5)
        self.v = nn.Parameter(torch.ones(2, 2)) if beside else None

    def forward(self, x):
        y = x @ (self.w if x.shape[-1] == self.w.shape[0] else self.w.T)
        return y if self.v is None else y + self.v.sum()


def widths(layer, x, folder):
    """Of all entries of a network that begins with the layer, as they are stored."""
    network = nn.Sequential(layer, nn.Flatten(), nn.LazyLinear(1))
    network(x)
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    with watch(network, folder, images=False, summary=False) as watcher:
        descend(watcher, optimizer, network(x).square().mean())
    (figures,) = figure_sets(read_run(folder))
    return {facts.name: facts.width for facts in figures.layers}


@pytest.mark.parametrize(
    ("layer", "x", "width"),
    [
        (Turned(6, 24), torch.randn(8, 6), (6, 24)),
        (Turned(24, 6), torch.randn(8, 3, 24), (24, 6)),
        (Turned(6, 24, heads=3), torch.randn(8, 5, 6), (6, 24)),
        (nn.Sequential(Turned(6, 24), nn.ReLU()), torch.randn(8, 6), (6, 24)),
        (Usual(6, 24), torch.randn(8, 6), (6, 24)),
        (nn.Sequential(Usual(24, 6), nn.ReLU()), torch.randn(8, 24), (24, 6)),
        (OverChannels(6, 24), torch.randn(8, 6, 6), (6, 24)),
        (nn.Conv1d(6, 24, 3, groups=2), torch.randn(8, 6, 9), (9, 24)),
        (nn.ConvTranspose1d(6, 24, 3), torch.randn(8, 6, 9), None),
        (nn.EmbeddingBag(6, 24), torch.zeros(8, 3, dtype=torch.long), None),
    ],
)
def test_what_goes_in_and_comes_out_tells_which_axis_of_a_matrix_is_which(
    layer, x, width, tmp_path
):
    assert next(iter(widths(layer, x, tmp_path).values())) == width


@pytest.mark.parametrize(
    ("layer", "width"),
    [(Bare(6, 24), (6, 24)), (Bare(24, 6), (6, 24)), (Bare(6, 24, beside=True), None)],
)
def test_a_matrix_of_another_name_is_known_where_it_is_the_only_one(layer, width, tmp_path):
    assert widths(layer, torch.randn(8, 6), tmp_path)["00_bare.w"] == width


def test_each_network_that_the_loop_calls_has_an_end(tmp_path):
    maker, judge = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), nn.Linear(4, 1)
    networks = nn.ModuleList([maker, judge])
    with watch(networks, tmp_path, images=False, summary=False) as watcher:
        for _ in range(2):
            made = maker(torch.randn(8, 4))
            loss = judge(made).mean() - judge(torch.randn(8, 4)).mean()
            loss.backward()
            watcher.step(loss)
    (figures,) = figure_sets(read_run(tmp_path))
    assert [(each.module, each.end) for each in figures.layers] == [
        ("Tanh", True),
        ("Linear", False),
    ]
