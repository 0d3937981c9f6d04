"""Values that are not known, and stand as a number in a column that is scaled with them."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import perceptron
from tests.diagnose.programs.program import batches, fit, of_output, program


def with_unknown(column, share, code):
    """The column [count], a share of it a code, and where."""
    unknown = torch.rand(len(column)) < share
    return torch.where(unknown, torch.tensor(float(code)), column), unknown


def filled(column, unknown):
    """The median of what is known in the place of what is not."""
    return torch.where(unknown, column[~unknown].median(), column)


@program("input_scale")
def a_sensor_that_says_minus_999_while_it_is_off(mended, watch):
    x = torch.randn(1024, 5)
    y = torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3]
    degrees, off = with_unknown(18 + 6 * x[:, 0], 0.1, -999)
    if mended:
        degrees = filled(degrees, off)
    table = torch.cat([degrees[:, None], x[:, 1:]], 1)
    optimizer = torch.optim.Adam((model := perceptron(5, 1)).parameters(), lr=3e-3)
    data = batches(toys.standard(table), (y - y.mean()) / y.std(), steps=200)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


@program("input_scale")
def an_age_of_9999_beside_shares(mended, watch):
    age = torch.randint(18, 90, (1500,)).float()
    income, visits = torch.randn(1500).exp(), torch.poisson(torch.full((1500,), 2.0))
    y = ((age - 50).abs() + 10 * torch.randn(1500) < 18).long()
    age, unknown = with_unknown(age, 0.06, 9999)
    if mended:
        age = filled(age, unknown)
    table = torch.stack([age, income, visits], 1)
    table = (table - table.amin(0)) / (table.amax(0) - table.amin(0))
    table = torch.cat([table, F.one_hot(torch.randint(4, (1500,)), 4).float()], 1)
    model = nn.Sequential(nn.Linear(7, 48), nn.ReLU(), nn.Linear(48, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(table, y, steps=200, size=64), of_output(F.cross_entropy))
