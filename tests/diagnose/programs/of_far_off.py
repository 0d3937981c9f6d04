"""Programs with data of unusual sizes, beside which something else is off by far more."""

import torch
from torch import nn
from torch.nn import functional

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_starts import stack
from tests.diagnose.programs.program import batches, fit, of_output, program

squared = of_output(functional.mse_loss)


@program("update_too_small")
def raw_columns_at_a_rate_of_a_billionth(mended, watch):
    x, y = toys.surface(features=6)
    model = stack(nn.ReLU, 6, 32, 1)
    x, rate = (x, 1e-3) if mended else (40 + 30 * x, 1e-9)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=rate)
    fit(watch, model, optimizer, batches(x, y, steps=200), squared)


@program("update_too_small")
def a_line_through_ages_at_a_rate_lost_in_rounding(mended, watch):
    age = 20 + 60 * torch.rand(512, 1)
    pressure = 90 + 0.9 * age + 5 * torch.randn(512, 1)
    model = nn.Sequential(nn.Linear(1, 1))
    x, y, rate = (age, pressure, 1e-11)
    if mended:
        x, y, rate = toys.standard(age), toys.standard(pressure), 0.01
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    fit(watch, model, optimizer, batches(x, y, steps=200), squared)


@program("target_scale")
def rents_in_cents_from_areas(mended, watch):
    x, y = toys.surface(features=5)
    x, y = (x, y) if mended else (60 + 40 * x, 9e5 + 3e5 * y)
    model = stack(nn.Tanh, 5, 32, 16, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=300), squared)


@program("target_scale")
def sales_of_ten_million_from_visits(mended, watch):
    x, y = toys.surface(features=8)
    x, y = (x, y) if mended else (30 * x, 1e7 + 4e6 * y)
    model = stack(nn.ReLU, 8, 48, 48, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=300), squared)
