import pytest
import torch
from torch import nn
from torch.nn.functional import gelu, linear, max_pool2d, relu, silu
from torch.nn.functional import scaled_dot_product_attention as attention

from layerscope.record.network.units_axis import axis_in_graph, axis_of_module, with_units_beside
from tests.watching import last_figure, watch_loop

IMAGE, SEQUENCE = torch.randn(2, 3, 5, 7), torch.randn(2, 5, 3)
conv, line, features = nn.Conv2d(3, 4, 3, padding=1), nn.Conv1d(3, 4, 1), nn.Linear(3, 4)

MADE = {
    "a convolution": (lambda: relu(conv(IMAGE)), 1),
    "a convolution of one image": (lambda: relu(conv(IMAGE[0])), 0),
    "a batch norm": (lambda: gelu(nn.BatchNorm2d(4)(conv(IMAGE))), 1),
    "a group norm": (lambda: silu(nn.GroupNorm(2, 4)(conv(IMAGE))), 1),
    "a pooled convolution": (lambda: relu(max_pool2d(conv(IMAGE), 2)), 1),
    "a residual sum": (lambda: relu(conv(IMAGE) + 1.0 * conv(IMAGE)), 1),
    "a convolution, channels last": (lambda: relu(conv(IMAGE).permute(0, 2, 3, 1)), 3),
    "patches as tokens": (lambda: relu(conv(IMAGE).flatten(2).transpose(1, 2)), 2),
    "patches as tokens, reshaped": (lambda: relu(conv(IMAGE).movedim(1, -1).flatten(1, 2)), 2),
    "a convolution over time": (lambda: relu(line(SEQUENCE.mT)), 1),
    "a convolution over time, turned": (lambda: relu(line(SEQUENCE.mT).transpose(1, 2)), 2),
    "a linear layer, channels last": (lambda: relu(features(IMAGE.permute(0, 2, 3, 1))), 3),
    "a linear layer, channels second": (
        lambda: relu(features(IMAGE.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)),
        1,
    ),
    "a linear layer over tokens": (lambda: gelu(features(SEQUENCE)), 2),
    "a linear layer, time first": (lambda: torch.tanh(features(SEQUENCE.transpose(0, 1))), 2),
    "a linear layer without a bias": (lambda: relu(linear(SEQUENCE, features.weight)), 2),
    "a gated linear layer": (lambda: silu(features(SEQUENCE)) * features(SEQUENCE), 2),
    "a layer norm over the last axis": (lambda: relu(nn.LayerNorm(3)(SEQUENCE)), 2),
    "a layer norm over whole images": (lambda: relu(nn.LayerNorm([3, 5, 7])(IMAGE)), 1),
    "a layer norm, channels second": (
        lambda: relu(nn.LayerNorm(4)(conv(IMAGE).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)),
        1,
    ),
    "heads apart": (lambda: torch.tanh(features(SEQUENCE).unflatten(-1, (2, 2))), None),
    "an added axis": (lambda: relu(features(SEQUENCE).unsqueeze(1)), 3),
    "attention": (lambda: relu(attention(*[features(SEQUENCE)] * 3)), 2),
    "a mean": (lambda: relu(conv(IMAGE).mean(3)), None),
    "data": (lambda: relu(IMAGE), None),
}


@pytest.mark.parametrize("name", MADE)
def test_the_graph_says_along_which_axis_the_units_lie(name):
    make, axis = MADE[name]
    assert axis_in_graph(make()) == axis


def test_the_kind_of_a_module_says_it_where_it_can():
    assert axis_of_module(nn.Conv1d(3, 4, 3)) == -2
    assert axis_of_module(nn.ConvTranspose3d(3, 4, 3)) == -4
    assert axis_of_module(nn.BatchNorm1d(3)) == axis_of_module(nn.GroupNorm(1, 3)) == 1
    assert axis_of_module(nn.LSTM(3, 4)) == axis_of_module(nn.LayerNorm(3)) == -1
    assert axis_of_module(nn.Tanh()) is axis_of_module(nn.Sequential()) is None


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -2, -3, -4])
def test_units_are_brought_to_where_a_tally_takes_them(axis):
    tensor = torch.randn(2, 3, 4, 5)
    moved, to = with_units_beside(tensor, axis)
    assert to in (1, -1)
    wanted = tensor.movedim(axis, 0).flatten(1)
    assert torch.equal(moved.movedim(to, 0).flatten(1), wanted)


class TwoKinds(nn.Module):
    """A convolution and a linear layer, both called before either's function."""

    def __init__(self):
        super().__init__()
        self.conv, self.linear = nn.Conv1d(4, 6, 3, padding=1), nn.Linear(4, 10)
        self.of_conv, self.of_linear, self.out = nn.ReLU(), nn.ReLU(), nn.Linear(16, 1)
        with torch.no_grad():
            self.conv.bias[:3] = -1000.0
            self.linear.bias[:5] = -1000.0

    def forward(self, x):
        channels, tokens = self.conv(x), self.linear(x.transpose(1, 2))
        tokens, channels = self.of_linear(tokens), self.of_conv(channels)
        return self.out(torch.cat([channels.mean(2), tokens.mean(1)], 1))


class Frozen(nn.Module):
    """Without gradients, behind a convolution: the layer called last decides."""

    def __init__(self):
        super().__init__()
        self.conv, self.act, self.out = nn.Conv1d(4, 6, 3, padding=1), nn.ReLU(), nn.Linear(6, 1)
        self.conv.requires_grad_(False)
        with torch.no_grad():
            self.conv.bias[:3] = -1000.0

    def forward(self, x):
        return self.out(self.act(self.conv(x)).mean(2))


class ChannelsLast(nn.Module):
    """A linear layer with its function on [batch, height, width, channels], as in mixers."""

    def __init__(self):
        super().__init__()
        self.all, self.out = nn.Sequential(nn.Linear(4, 6), nn.ReLU()), nn.Linear(6, 1)
        with torch.no_grad():
            self.all[0].bias[:3] = -1000.0

    def forward(self, x):
        return self.out(self.all(x.movedim(1, -1).unsqueeze(1)).mean((1, 2)))


@pytest.mark.parametrize(
    ("make", "due"),
    [
        (TwoKinds, {"of_conv": (6, 3), "of_linear": (10, 5)}),
        (Frozen, {"act": (6, 3)}),
        (ChannelsLast, {"relu_all.1": (6, 3)}),
    ],
)
def test_dead_units_are_those_of_the_layer(tmp_path, make, due):
    torch.manual_seed(0)
    watch_loop(make(), tmp_path, draw=lambda step: (torch.randn(8, 4, 20),), dead_window=512)
    for layer, (units, dead) in due.items():
        assert last_figure(tmp_path, layer, "units") == units
        assert last_figure(tmp_path, layer, "dead_units") == dead
