"""Programs whose loss compares the output with what the network was given, beside other inputs."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program


class OfPictures(nn.Module):
    """The noise of pictures [n, 1, 8, 8], given a learned map of how noisy they are."""

    def __init__(self):
        super().__init__()
        self.levels = nn.Embedding(10, 64)
        sizes = ((2, 24), (24, 24), (24, 1))
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in sizes)

    def forward(self, noisy, level):
        h = torch.cat([noisy, self.levels(level).view(-1, 1, 8, 8)], 1)
        for layer in self.layers[:-1]:
            h = F.silu(layer(h))
        return self.layers[-1](h)


@program("target_is_input")
def noisy_pictures_for_their_noise(mended, watch):
    x, _ = toys.pictures()

    def loss(model, x):
        level, noise = torch.randint(10, (len(x),)), torch.randn_like(x)
        share = (1 - level / 10)[:, None, None, None]
        noisy = share * x + (1 - share**2).sqrt() * noise
        return F.mse_loss(model(noisy, level), noise if mended else noisy)

    model = OfPictures()
    fit(watch, model, torch.optim.Adam(model.parameters(), 2e-3), batches(x), loss)


class OfDays(nn.Module):
    """The loads of the next day, [n, 12], given those of today and which day it is."""

    def __init__(self):
        super().__init__()
        self.day, self.first = nn.Embedding(7, 8), nn.Linear(20, 64)
        self.second, self.out = nn.Linear(64, 64), nn.Linear(64, 12)

    def forward(self, today, day):
        h = torch.relu(self.first(torch.cat([self.day(day), today], 1)))
        return self.out(torch.relu(self.second(h)))


@program("target_is_input")
def today_for_tomorrow(mended, watch):
    day = torch.randint(7, (1024,))
    today = torch.randn(1024, 12)
    tomorrow = 0.7 * today.roll(1, 1) + 0.5 * torch.sin(day[:, None] + torch.arange(12.0))

    def loss(model, today, day, tomorrow):
        return F.mse_loss(model(today, day), tomorrow if mended else today)

    model = OfDays()
    data = batches(today, day, tomorrow)
    fit(watch, model, torch.optim.Adam(model.parameters(), 2e-3), data, loss)
