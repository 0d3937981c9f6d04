"""Faults of networks that foretell numbers: they see the future that they are to foretell."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, fit, of_output, practice, program


def noisy_waves(count=512, length=25):
    """Sines with noise, so that nobody can foretell them to the last digit: [count, length]."""
    start, speed = 6.3 * torch.rand(count, 1), 0.3 + 0.4 * torch.rand(count, 1)
    return torch.sin(start + speed * torch.arange(length)) + 0.3 * torch.randn(count, length)


class Convolutions(nn.Module):
    """Two convolutions along time; a place reads none behind it where padding is before it only."""

    def __init__(self, before_only):
        super().__init__()
        padding = 0 if before_only else 1
        self.first = nn.Conv1d(1, 16, 3, padding=padding)
        self.second = nn.Conv1d(16, 16, 3, padding=padding)
        self.last = nn.Conv1d(16, 1, 1)
        self.before_only = before_only

    def padded(self, x):
        return F.pad(x, (2, 0)) if self.before_only else x

    def forward(self, x):
        x = torch.relu(self.first(self.padded(x)))
        return self.last(torch.relu(self.second(self.padded(x))))


@program("next_token")
def waves_foretold_by_padding_on_both_sides(mended, watch):
    x = noisy_waves()[:, None]
    model = Convolutions(before_only=mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x[..., :-1], x[..., 1:], steps=120)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


@program("next_token")
def prices_foretold_from_both_ends(mended, watch):
    """By a recurrence that is bidirectional, of samples of [time, features]."""

    class Recurrence(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(3, 24, batch_first=True, bidirectional=not mended)
            self.head = nn.Linear(24 if mended else 48, 3)

        def forward(self, x):
            return self.head(self.gru(x)[0])

    x = torch.stack([noisy_waves() for _ in range(3)], -1).cumsum(1) / 3
    model = Recurrence()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x[:, :-1], x[:, 1:], steps=120)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


@practice
def a_network_that_pads_both_sides_and_cuts_the_end_off(watch):
    """As Bai et al. 2018 have it (An Empirical Evaluation of Generic Convolutional and Recurrent
    Networks, section 3.1): it reads nothing behind a place.
    """

    class Chomped(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv1d(1, 16, 3, padding=2)
            self.second = nn.Conv1d(16, 16, 3, padding=4, dilation=2)
            self.last = nn.Conv1d(16, 1, 1)

        def forward(self, x):
            x = torch.relu(self.first(x)[..., :-2])
            return self.last(torch.relu(self.second(x)[..., :-4]))

    x = noisy_waves()[:, None]
    model = Chomped()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x[..., :-1], x[..., 1:], steps=120)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


@practice
def a_network_that_takes_noise_off_with_both_neighbours(watch):
    """Its targets are the clean values at the same places."""
    clean = noisy_waves()[:, None]
    model = Convolutions(before_only=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(clean + 0.5 * torch.randn_like(clean), clean, steps=120)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))
