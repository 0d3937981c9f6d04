"""Frozen bodies whose batch normalisations go on normalising by the batch."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.of_pretrained import train
from tests.diagnose.programs.program import batches, fit, of_output, practice, program


class Tuned(nn.Module):
    """A body, and a head that is new."""

    def __init__(self, body, head):
        super().__init__()
        self.body, self.head = body, head

    def forward(self, x):
        return self.head(self.body(x))


def frozen(model, head, *, mended):
    """The model with another head, ready to be tuned."""
    model.head = head
    model.body.requires_grad_(False)
    model.train()
    model.body.train(not mended)
    return torch.optim.Adam(model.head.parameters(), lr=3e-3)


def exposed(count=512):
    """Pictures that are as bright as the light was; which quarter, and the light, up to a sixth."""
    x, y = toys.pictures(count=count)
    light = torch.randint(6, (count,))
    return x * (1 + light[:, None, None, None]), y, light


def reader_of_pictures():
    body = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten()),
    )
    return Tuned(body, nn.Linear(256, 4))


@program("running_statistics")
def pictures_one_by_one_into_a_body_that_still_normalises(mended, watch):
    x, quarter, light = exposed()
    model = reader_of_pictures()
    train(model, torch.optim.Adam(model.parameters(), 2e-3), batches(x, quarter), cross_entropy)
    optimizer = frozen(model, nn.Linear(256, 6), mended=mended)
    fit(watch, model, optimizer, batches(x, light, steps=300, size=1), cross_entropy)


def levels(count=512, length=24):
    """Series [count, 1, length] about a level of their own; whether they rise, and that level."""
    level, slope = 3 * torch.randn(count, 1), torch.randn(count, 1)
    series = level + slope * torch.linspace(-1, 1, length) + 0.2 * torch.randn(count, length)
    return series[:, None], (slope[:, 0] > 0).long(), level / 3


@program("running_statistics")
def pairs_of_series_into_a_body_that_still_normalises(mended, watch):
    x, rises, level = levels()
    body = nn.Sequential(
        *(nn.Conv1d(1, 16, 5), nn.BatchNorm1d(16), nn.GELU(), nn.Conv1d(16, 16, 5, stride=2)),
        *(nn.BatchNorm1d(16), nn.GELU(), nn.AdaptiveAvgPool1d(2), nn.Flatten()),
    )
    model = Tuned(body, nn.Linear(32, 2))
    train(model, torch.optim.Adam(model.parameters(), 2e-3), batches(x, rises), cross_entropy)
    optimizer = frozen(model, nn.Linear(32, 1), mended=mended)
    fit(watch, model, optimizer, batches(x, level, steps=300, size=2), of_output(F.mse_loss))


@practice
def a_frozen_body_whose_statistics_follow_new_pictures(watch):
    x, quarter, _ = exposed()
    model = reader_of_pictures()
    train(model, torch.optim.Adam(model.parameters(), 2e-3), batches(x, quarter), cross_entropy)
    optimizer = frozen(model, nn.Linear(256, 4), mended=False)
    fit(watch, model, optimizer, batches(4 * x + 1, quarter, steps=150), cross_entropy)


@practice
def a_frozen_body_that_goes_on_with_the_same_pictures_in_fours(watch):
    x, y = toys.pictures()
    model = reader_of_pictures()
    train(model, torch.optim.Adam(model.parameters(), 2e-3), batches(x, y), cross_entropy)
    optimizer = frozen(model, nn.Linear(256, 4), mended=False)
    fit(watch, model, optimizer, batches(x, 3 - y, steps=250, size=4), cross_entropy)
