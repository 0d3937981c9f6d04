"""Errors beside other terms of a loss, whose targets the output reaches, or does not."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, practice, program


class Draws(nn.Module):
    """A variational autoencoder that ends in a function: its output, mean and log-variance."""

    def __init__(self, width, last):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(width, 32), nn.ReLU())
        self.mean, self.spread = nn.Linear(32, 4), nn.Linear(32, 4)
        self.decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, width), last)

    def forward(self, x):
        hidden = self.encoder(x.flatten(1))
        mean, spread = self.mean(hidden), self.spread(hidden)
        drawn = mean + (spread / 2).exp() * torch.randn_like(mean)
        return self.decoder(drawn).view(x.shape), mean, spread


def divergence(mean, spread):
    return -0.5 * (1 + spread - mean.square() - spread.exp()).sum(1).mean()


@program("target_out_of_range")
def standardised_readings_out_of_a_sigmoid_beside_a_divergence(mended, watch):
    x, _ = toys.surface(features=12)
    x = toys.standard(x @ torch.randn(12, 12) / 3)
    model = Draws(12, nn.Identity() if mended else nn.Sigmoid())

    def loss(model, x):
        output, *latent = model(x)
        return (output - x).square().sum(1).mean() + 0.1 * divergence(*latent)

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, steps=150), loss)


class Predicts(nn.Module):
    """A number that has been through a function, and scores of three classes."""

    def __init__(self, features, last):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, 32), nn.ReLU())
        self.number = nn.Sequential(nn.Linear(32, 1), last)
        self.scores = nn.Linear(32, 3)

    def forward(self, x):
        hidden = self.body(x)
        return self.number(hidden), self.scores(hidden)


@program("target_out_of_range")
def ratings_of_1_to_5_out_of_a_sigmoid_beside_a_genre(mended, watch):
    x, genre = toys.blobs(classes=3, features=8)
    rating = (3 + x[:, :1]).clamp(1, 5)
    model = Predicts(8, nn.Identity() if mended else nn.Sigmoid())

    def loss(model, x, rating, genre):
        number, scores = model(x)
        return F.mse_loss(number, rating) + F.cross_entropy(scores, genre)

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, rating, genre, steps=150), loss)


@program("target_out_of_range")
def a_curve_out_of_a_tanh_beside_a_penalty_of_weights(mended, watch):
    x, y = toys.surface()
    layers = nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1)
    model = nn.Sequential(*layers, *(() if mended else (nn.Tanh(),)))

    def loss(model, x, y):
        penalty = sum(each.abs().sum() for each in model.parameters())
        return ((model(x) - 2 * y) ** 2).mean() + 1e-3 * penalty

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), loss)


@practice
def pictures_out_of_a_sigmoid_beside_a_divergence(watch):
    x, _ = toys.pictures()
    model = Draws(64, nn.Sigmoid())

    def loss(model, x):
        output, *latent = model(x)
        return F.mse_loss(output, x, reduction="sum") / len(x) + 0.1 * divergence(*latent)

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x.clamp(0, 1), steps=120), loss)


@practice
def masks_that_are_smoothed_beside_their_error(watch):
    """The variation of the output pulls it about, beyond what its targets would."""
    x, _ = toys.pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()), *(nn.Conv2d(8, 1, 3, padding=1), nn.Sigmoid())
    )

    def loss(model, x):
        p = model(x)
        apart = (p[..., 1:] - p[..., :-1]).abs().mean() + (p[:, :, 1:] - p[:, :, :-1]).abs().mean()
        return F.mse_loss(p, (x > 0.45).float()) + 3 * apart

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, steps=120), loss)
