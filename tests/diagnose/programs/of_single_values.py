"""Normalisations of a single value, which is its own mean."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, of_output, program


@program("norm_of_few", follows=("idle", "no_gradient", "vanishing_gradient", "collapsed"))
def a_group_for_each_channel_behind_a_pooling(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 24, 3, stride=2), nn.GroupNorm(4, 24), nn.ReLU()),
        *(nn.Conv2d(24, 24, 3), nn.AdaptiveMaxPool2d(1), nn.GroupNorm(2 if mended else 24, 24)),
        *(nn.ReLU(), nn.Flatten(), nn.Linear(24, 4)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=200), cross_entropy)


class OfPlaces(nn.Module):
    """An instance normalisation, as somebody has written it, of [samples, channels, places]."""

    def forward(self, x):
        variance, mean = torch.var_mean(x, 2, correction=0, keepdim=True)
        return (x - mean) * (variance + 1e-5).rsqrt()


@program("norm_of_few", follows=("idle", "no_gradient", "stalled", "dead_units", "collapsed"))
def a_forecast_from_a_code_of_one_place(mended, watch):
    x, y = toys.waves()
    last = [nn.Conv1d(16, 16, 3, stride=2)] + [OfPlaces()] * (not mended)
    model = nn.Sequential(
        *(nn.Conv1d(1, 16, 4), nn.Tanh(), nn.Conv1d(16, 16, 3, stride=2), OfPlaces(), nn.Tanh()),
        *(*last, nn.Tanh(), nn.Flatten(), nn.Linear(16, 1)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x.mT.contiguous(), y, steps=240)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))
