"""Recurrent layers that forget at each step, since a gate's bias says so."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, fit, of_output, program


class Recalls(nn.Module):
    """Classes of the last state of a recurrent layer, whose second gate has this bias."""

    def __init__(self, layer, bias, parts):
        super().__init__()
        self.layer, self.out = layer(3, 24, batch_first=True), nn.Linear(24, 3)
        with torch.no_grad():
            self.layer.bias_ih_l0.view(parts, 24)[1] = bias

    def forward(self, x):
        states, _ = self.layer(x)
        return self.out(states[:, -1])


def first_steps(count=768, length=14):
    """Sequences [count, length, 3] whose second step tells the class."""
    y = torch.randint(3, (count,))
    x = 0.3 * torch.randn(count, length, 3)
    x[torch.arange(count), 1, y] += 2
    return x, y


@program("gates_shut")
def a_forget_bias_with_the_wrong_sign(mended, watch):
    x, y = first_steps()
    model = Recalls(nn.LSTM, 1.0 if mended else -5.0, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=120), of_output(F.cross_entropy))


@program("gates_shut")
def an_update_gate_taken_for_the_share_that_is_new(mended, watch):
    x, y = first_steps(length=8)
    model = Recalls(nn.GRU, 1.0 if mended else -4.0, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=120), of_output(F.cross_entropy))
