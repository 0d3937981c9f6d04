"""Recurrent layers whose weights from state to state are drawn far too large."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program


class LastState(nn.Module):
    """A recurrent layer over what `embed` makes of its inputs, and a head on its last state."""

    def __init__(self, layer, outputs, embed=None):
        super().__init__()
        self.embed = nn.Identity() if embed is None else embed
        self.layer, self.head = layer, nn.Linear(layer.hidden_size, outputs)

    def forward(self, x):
        return self.head(self.layer(self.embed(x))[0][:, -1])


def speeds(count=768, length=16):
    """Sines with noise [count, length, 1] of three speeds, and which: a task of all steps."""
    y = torch.randint(3, (count,))
    speed = torch.tensor([0.2, 0.5, 0.9])[y][:, None]
    start = 6.3 * torch.rand(count, 1)
    return (torch.sin(start + speed * torch.arange(length)))[..., None], y


@program("large_weights")
def states_drawn_from_a_standard_normal(mended, watch):
    x, y = speeds()
    model = LastState(nn.RNN(1, 48, batch_first=True), 3)
    draw = nn.init.orthogonal_ if mended else nn.init.normal_
    draw(model.layer.weight_hh_l0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=240), of_output(F.cross_entropy))


@program("large_weights")
def every_parameter_drawn_from_a_standard_normal(mended, watch):
    tokens, topic = toys.phrases(length=20)
    model = LastState(nn.LSTM(16, 96, batch_first=True), 3, nn.Embedding(60, 16))
    for parameter in model.layer.parameters():
        if not mended:
            nn.init.normal_(parameter)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=240), of_output(F.cross_entropy))


class ByCell(nn.Module):
    """The next value of a wave by a cell that is called step by step."""

    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.RNNCell(1, 32), nn.Linear(32, 1)

    def forward(self, x):
        state = None
        for step in x.unbind(1):
            state = self.cell(step, state)
        return self.head(state)


@program("large_weights")
def a_cell_drawn_between_two_whole_numbers(mended, watch):
    x, following = toys.waves(length=20)
    model = ByCell()
    bound = 32**-0.5 if mended else 2.0
    nn.init.uniform_(model.cell.weight_hh, -bound, bound)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, following, steps=200), of_output(F.mse_loss))


@program("large_weights")
def a_gru_with_the_gain_of_its_width(mended, watch):
    x, y = speeds(length=24)
    model = LastState(nn.GRU(1, 64, batch_first=True), 3)
    gain = 1.0 if mended else 64**0.5
    for part in model.layer.weight_hh_l0.chunk(3):
        nn.init.orthogonal_(part, gain=gain)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=240), of_output(F.cross_entropy))
