"""Programs whose recurrent layers give a last state that nothing takes."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.of_futures import noisy_waves
from tests.diagnose.programs.program import batches, fit, of_output, practice, program


class Recurrent(nn.Module):
    """A number at each step, or several: [n, length, outputs]."""

    def __init__(self, kind, inputs, states, outputs):
        super().__init__()
        self.past = kind(inputs, states, batch_first=True)
        self.last = nn.Linear(states, outputs)

    def forward(self, x):
        return self.last(self.past(x)[0])


@program("target_is_input")
def waves_foretold_as_they_are(mended, watch):
    x = noisy_waves()[..., None]
    following = x[:, 1:] if mended else x[:, :-1]
    model = Recurrent(nn.LSTM, 1, 20, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x[:, :-1], following, steps=120), of_output(F.mse_loss))


@program("target_is_input")
def readings_compared_with_themselves(mended, watch):
    """Four sensors for 30 steps, of which a smooth mean is to be told."""
    x = torch.randn(400, 30, 4)
    smooth = x.cumsum(1) / torch.arange(1, 31)[:, None] ** 0.5
    model = Recurrent(nn.GRU, 4, 24, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    data = batches(x, smooth if mended else x, steps=120)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


@practice
def sequences_through_a_last_state(watch):
    """An autoencoder: the encoder's last state is the code."""

    class Coder(nn.Module):
        def __init__(self):
            super().__init__()
            self.to_code, self.last = nn.GRU(1, 8, batch_first=True), nn.Linear(24, 1)
            self.from_code = nn.GRU(8, 24, batch_first=True)

        def forward(self, x):
            code = self.to_code(x)[1][0]
            return self.last(self.from_code(code[:, None].expand(-1, x.shape[1], -1))[0])

    x = noisy_waves()[..., None]
    model = Coder()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    data = batches(x, steps=300)
    fit(watch, model, optimizer, data, lambda model, x: F.mse_loss(model(x), x))
