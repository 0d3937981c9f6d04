"""Healthy programs of fields whose own ways were taken for faults, each as its papers have it."""

import math

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, practice


@practice
def documents_ranked_by_pairs(watch):
    """Burges et al. 2005, RankNet: only differences of scores count."""
    truth = torch.randn(10)
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))
    nn.init.constant_(model[2].bias, 0.2)  # which no difference of scores has a gradient by
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)

    def lists():
        for _ in range(150):
            x = torch.randn(32, 12, 10)
            merit = x @ truth + x[..., 0] * x[..., 1]
            yield x, torch.bucketize(merit, torch.tensor([-2.0, 0.0, 2.0, 4.0]))

    def by_pairs(model, x, grade):
        score = model(x)[..., 0]
        above = grade[:, :, None] > grade[:, None]
        return F.softplus(score[:, None] - score[:, :, None])[above].mean()

    fit(watch, model, optimizer, lists(), by_pairs)


class Counts(nn.Module):
    """Salinas et al. 2020, DeepAR: mean and dispersion of a negative binomial, at each step."""

    def __init__(self):
        super().__init__()
        self.read = nn.LSTM(1, 32, batch_first=True)
        self.mean, self.excess = nn.Linear(32, 1), nn.Linear(32, 1)

    def forward(self, x, scale):
        h, _ = self.read(x)
        mean, excess = (F.softplus(head(h))[..., 0] for head in (self.mean, self.excess))
        return mean * scale + 1e-4, excess + 1e-4


@practice
def sales_as_a_negative_binomial(watch):
    optimizer = torch.optim.Adam((model := Counts()).parameters(), lr=3e-3)

    def series():
        for _ in range(120):
            level = torch.exp(torch.randn(32, 1) + 2)
            time = torch.arange(25) + torch.randint(12, (32, 1))
            yield (torch.poisson(level * (1 + 0.8 * torch.sin(math.pi * time / 6))),)

    def likelihood(model, z):
        scale = z[:, :12].mean(1, keepdim=True) + 1
        mean, excess = model((z[:, :-1] / scale)[..., None], scale)
        y, r = z[:, 1:], 1 / excess
        chosen = torch.lgamma(y + r) - torch.lgamma(r) - torch.lgamma(y + 1)
        return -(chosen + r * (r / (r + mean)).log() + y * (mean / (r + mean)).log()).mean()

    fit(watch, model, optimizer, series(), likelihood)


class Coupling(nn.Module):
    """Kingma and Dhariwal 2018, Glow, section 3.3: it begins as a fixed scale."""

    def __init__(self, features):
        super().__init__()
        half = features // 2
        self.net = nn.Sequential(nn.Linear(half, 48), nn.ReLU(), nn.Linear(48, features))
        nn.init.zeros_(self.net[2].weight)
        nn.init.zeros_(self.net[2].bias)

    def forward(self, x):
        kept, moved = x.chunk(2, 1)
        scale, shift = self.net(kept).chunk(2, 1)
        scale = torch.sigmoid(scale + 2)
        return torch.cat([(moved + shift) * scale, kept], 1), scale.log().sum(1)


@practice
def couplings_that_begin_as_a_fixed_scale(watch):
    x = toys.standard(toys.pictures()[0].flatten(1))
    model = nn.ModuleList(Coupling(64) for _ in range(4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def likelihood(model, z):
        density = 0.0
        for each in model:
            z, of_each = each(z)
            density = density + of_each
        return ((0.5 * z.square() + 0.919).sum(1) - density).mean() / 64

    fit(watch, model, optimizer, batches(x, steps=150, size=64), likelihood)


class Uncertain(nn.Module):
    """Blundell et al. 2015, Weights by Backprop: a mean and a deviation of each weight."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.mean = nn.Parameter(torch.randn(outputs, inputs) / (3 * inputs) ** 0.5)
        self.raw = nn.Parameter(torch.full((outputs, inputs), -5.0))
        self.divergence = 0.0

    def forward(self, x):
        deviation = F.softplus(self.raw)
        of_each = 0.5 * (self.mean**2 + deviation**2) - deviation.log() - 0.5
        self.divergence = of_each.sum()
        return F.linear(x, self.mean + deviation * torch.randn_like(deviation))


@practice
def weights_with_deviations_whose_divergence_is_warmed_up(watch):
    x, y = toys.blobs(classes=8, features=64, apart=0.35)
    model = nn.Sequential(Uncertain(64, 64), nn.ReLU(), Uncertain(64, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def numbered():
        for number, batch in enumerate(batches(x, y, steps=250, size=64)):
            yield *batch, min(1.0, number / 150) / 10_000

    def bound(model, x, y, weight):
        error = F.cross_entropy(model(x), y)
        return error + weight * (model[0].divergence + model[2].divergence)

    fit(watch, model, optimizer, numbered(), bound)
