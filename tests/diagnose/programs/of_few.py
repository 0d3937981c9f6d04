"""Errors that a few targets make, or one number that is missing; and samples scaled one by one."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, of_output, program


@program("target_tail")
def incomes_as_they_are(mended, watch):
    x = torch.randn(2048, 6)
    logarithm = 1.5 * x[:, :1] + x[:, 1:2] * x[:, 2:3] + 0.5 * torch.randn(2048, 1)
    y = toys.standard(logarithm if mended else (2 * logarithm).exp())
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
    model.append(nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=300), of_output(F.mse_loss))


@program("target_tail")
def sizes_of_fires_by_pictures(mended, watch):
    x, _ = toys.pictures(count=1024)
    bright = (x.mean((1, 2, 3))[:, None] - 0.32) * 40 + torch.randn(1024, 1)
    size = (2.2 * bright).exp()
    y = size.log1p() / 2 if mended else size / size.std()
    body = (nn.Conv2d(1, 16, 3), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten())
    model = nn.Sequential(*body, nn.Linear(144, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.mse_loss))


@program("offset_missing")
def a_plane_through_the_origin(mended, watch):
    x = torch.randn(1024, 5)
    y = x @ torch.randn(5, 1) - 4 + 0.1 * torch.randn(1024, 1)
    model = nn.Linear(5, 1, bias=mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
    fit(watch, model, optimizer, batches(x, y, steps=260), of_output(F.mse_loss))


@program("offset_missing")
def an_odd_network_of_heights(mended, watch):
    x = torch.randn(1024, 4)
    y = 3 + torch.sin(x[:, :1]) + 0.5 * x[:, 1:2]
    model = nn.Sequential(nn.Linear(4, 32, bias=mended), nn.Tanh(), nn.Linear(32, 1, bias=mended))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x, y, steps=260), of_output(F.mse_loss))


def measurements(count=1024):
    """Positive columns [count, 5] of sizes from 500 down to 1, and which of three kinds it is."""
    y = torch.randint(3, (count,))
    centres = torch.tensor([[1.0, 1.2, 0.8, 1.0, 1.1], [1.1, 0.8, 1.2, 1.2, 0.8]])
    centres = torch.cat([centres, torch.tensor([[0.9, 1.0, 1.0, 0.8, 1.2]])])
    spread = 0.08 * torch.randn(count, 5)
    return (centres[y] + spread) * torch.tensor([500.0, 3.0, 2.0, 1.0, 4.0]), y


@program("input_scale")
def samples_divided_by_their_length(mended, watch):
    x, y = measurements()
    x = toys.standard(x) if mended else F.normalize(x, dim=1)
    model = perceptron(5, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=200), cross_entropy)


@program("input_scale")
def samples_divided_by_their_sum(mended, watch):
    x, y = measurements()
    x = toys.standard(x) if mended else x / x.sum(1, keepdim=True)
    model = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss = of_output(lambda output, y: F.binary_cross_entropy_with_logits(output[:, 0], y))
    fit(watch, model, optimizer, batches(x, (y > 0).float(), steps=200), loss)
