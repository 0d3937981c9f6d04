"""Faults of what a loss adds up: penalties without a gradient, weights that nothing holds."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program


def slopes_of(values, x, with_graph):
    return torch.autograd.grad(values.sum(), x, create_graph=with_graph, retain_graph=True)[0]


@program("penalty_without_gradient")
def a_judge_whose_slopes_are_held_by_a_number(mended, watch):
    x, _ = toys.blobs(classes=3, features=8)
    model = nn.Sequential(nn.Linear(8, 32), nn.SiLU(), nn.Linear(32, 1))

    def loss(model, x):
        x = x.requires_grad_()
        true, false = model(x), model(torch.randn_like(x))
        slopes = slopes_of(true, x, with_graph=mended)
        penalty = 5 * slopes.square().sum(1).mean()
        return penalty + F.softplus(-true).mean() + F.softplus(false).mean()

    fit(watch, model, torch.optim.Adam(model.parameters(), lr=2e-3), batches(x, steps=80), loss)


@program("penalty_without_gradient")
def an_equation_that_only_its_boundary_trains(mended, watch):
    x = 4 * torch.rand(1024, 1) - 2
    model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
    model.append(nn.Linear(32, 1))

    def loss(model, x):
        at = x.requires_grad_()
        rest = slopes_of(model(at), at, with_graph=mended) - torch.cos(x)
        start = model(torch.zeros(1, 1)).square().mean()
        return 10 * start + rest.square().mean()

    fit(watch, model, torch.optim.Adam(model.parameters(), lr=3e-3), batches(x, steps=150), loss)


class TwoHeads(nn.Module):
    """A class and a number, and a weight for each of their losses."""

    def __init__(self, weights):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 32), nn.Tanh())
        self.kind, self.size = nn.Linear(32, 2), nn.Linear(32, 1)
        self.weights = nn.Parameter(weights)

    def forward(self, x):
        hidden = self.body(x)
        return self.kind(hidden), self.size(hidden)


def of_both(weigh):
    def loss(model, x, y):
        kind, size = model(x)
        error = F.mse_loss(size, y)
        return weigh(model.weights, F.cross_entropy(kind, (y[:, 0] > 0).long()), error)

    return loss


@program("loss_weights")
def weights_of_losses_that_fall_below_0(mended, watch):
    weigh = lambda w, *losses: (w * torch.stack(losses)).sum()  # noqa: E731
    held = lambda w, *losses: weigh((-w).exp(), *losses) + w.sum()  # noqa: E731
    model = TwoHeads(torch.ones(2))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    data = batches(*toys.surface(), steps=300)
    fit(watch, model, optimizer, data, of_both(held if mended else weigh))


@program("loss_weights")
def noise_without_its_logarithm(mended, watch):
    def weigh(noise, one, other):
        loss = one / (2 * noise[0] ** 2) + other / (2 * noise[1] ** 2)
        return loss + noise.abs().log().sum() if mended else loss

    model = TwoHeads(torch.ones(2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(*toys.surface(), steps=200), of_both(weigh))
