"""Programs that clamp the output before the loss, to a range that targets are not in."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import perceptron
from tests.diagnose.programs.program import batches, fit, of_output, practice, program


class Clamped(nn.Module):
    """A network whose output stays within bounds."""

    def __init__(self, inner, low, high):
        super().__init__()
        self.inner, self.low, self.high = inner, low, high

    def forward(self, x):
        return self.inner(x).clamp(self.low, self.high)


FOLLOWS = ("dead_units", "no_gradient", "loss_not_falling", "collapsed", "vanishing_gradient")


@program("target_out_of_range", follows=(*FOLLOWS, "target_scale"))
def numbers_of_either_sign_from_an_output_of_shares(mended, watch):
    x, y = toys.surface()
    low, high = (-9.0, 9.0) if mended else (0.0, 1.0)
    model = Clamped(perceptron(6, 1), low, high)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


@program("target_out_of_range", follows=(*FOLLOWS, "target_scale"))
def a_series_in_degrees_cut_to_one_by_the_loop(mended, watch):
    x, y = toys.waves()
    y = y if mended else 3 * y
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss(output, y):
        return F.mse_loss(output.clamp(-1.0, 1.0), y)

    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(loss))


@practice
def pictures_restored_by_a_network_that_clamps_them(watch):
    x, _ = toys.pictures()
    model = Clamped(
        nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1)),
        0.0,
        1.0,
    )
    nn.init.constant_(model.inner[-1].bias, 0.5)
    noisy = x + 0.1 * torch.randn_like(x)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(noisy, x, steps=200), of_output(F.mse_loss))


@practice
def stars_of_one_to_five_that_the_loop_clamps(watch):
    x, y = toys.surface()
    stars = (3 + 1.2 * y).round().clamp(1, 5)
    model = perceptron(6, 1)
    nn.init.constant_(model[-1].bias, 3.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss(output, y):
        return ((output.clamp(1.0, 5.0) - y) ** 2).mean()

    fit(watch, model, optimizer, batches(x, stars, steps=200), of_output(loss))
