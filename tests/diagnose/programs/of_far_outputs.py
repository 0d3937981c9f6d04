"""Outputs that begin far from their targets, and functions that reach no sample."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program


@program("overconfident_start")
def a_forecast_that_is_given_in_thousandths(mended, watch):
    class Forecast(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))

        def forward(self, x):
            return self.body(x) * (1 if mended else 1000)

    x, y = toys.surface()
    optimizer = torch.optim.Adam((model := Forecast()).parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


@program("overconfident_start")
def a_last_layer_of_normal_numbers(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 256), nn.Tanh(), nn.Linear(256, 1))
    nn.init.normal_(model[2].weight, std=1 / 16 if mended else 1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


class Radial(nn.Module):
    """exp(-|x - centre|^2 / (2 width^2)) of some samples, and a line of those."""

    def __init__(self, centres, width, outputs):
        super().__init__()
        self.centres = nn.Parameter(centres.clone())
        self.width, self.line = width, nn.Linear(len(centres), outputs)

    def forward(self, x):
        squares = torch.cdist(x, self.centres).square()
        return self.line(torch.exp(-squares / (2 * self.width**2)))


@program("collapsed")
def radial_functions_a_tenth_wide_in_six_dimensions(mended, watch):
    x, y = toys.surface()
    model = Radial(torch.randn(32, 6), 2.0 if mended else 0.1, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


class Gaussians(nn.Module):
    """exp(-beta |x - centre|^2), with the squares written out."""

    def __init__(self, features, units, beta):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(units, features))
        self.log_beta = nn.Parameter(torch.full((units,), beta).log())

    def forward(self, x):
        squares = (x[:, None] - self.centres).pow(2).sum(-1)
        return torch.exp(-self.log_beta.exp() * squares)


@program("collapsed")
def gaussians_of_a_beta_of_ten(mended, watch):
    x, y = toys.blobs(classes=3, features=8)
    model = nn.Sequential(Gaussians(8, 40, 0.05 if mended else 10.0), nn.Linear(40, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.cross_entropy))
