"""Validations that get their inputs otherwise than training does."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, program
from tests.usual_step import descend


def with_validation(watch, model, optimizer, data, held_out, loss_of, every=40):
    """A loop that validates now and then, on batches of other sizes."""
    with watch(model) as scope:
        for number, (x, y) in enumerate(data):
            descend(scope, optimizer, loss_of(model(x), y))
            if number % every == every - 1:
                model.eval()
                with torch.no_grad():
                    for x, y in zip(*(each.split(48) for each in held_out), strict=True):
                        loss_of(model(x), y)
                model.train()


@program("input_scale")
def pixels_that_are_moved_and_divided_in_training_alone(mended, watch):
    x, y = toys.pictures(count=768)
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(128, 4)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def normalized(x):
        return (x - 0.5) / 0.5

    def augmented():
        for x_of, y_of in batches(normalized(x[256:]), y[256:], steps=160):
            noisy = x_of + 0.2 * torch.randn_like(x_of)
            noisy[:, :, 2:4, 3:6] *= torch.rand(len(x_of), 1, 1, 1) < 0.7
            yield noisy, y_of

    held_out = (normalized(x[:256]) if mended else x[:256]), y[:256]
    with_validation(watch, model, optimizer, augmented(), held_out, F.cross_entropy)


@program("input_scale")
def columns_that_a_scaler_has_seen_in_training_alone(mended, watch):
    z, y = toys.surface(features=6, count=1400)
    size = torch.tensor([40.0, 900.0, 15.0, 0.5, 3000.0, 70.0])
    raw = size * (3 + z)
    mean, deviation = raw[400:].mean(0), raw[400:].std(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Dropout(0.1), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    data = batches((raw[400:] - mean) / deviation, y[400:], steps=160)
    held_out = ((raw[:400] - mean) / deviation if mended else raw[:400]), y[:400]
    with_validation(watch, model, optimizer, data, held_out, F.mse_loss)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.out = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x):
        return self.out(self.read(x)[0][:, -1])


@program("input_scale")
def waves_in_millivolts_where_training_had_volts(mended, watch):
    x, y = toys.waves(count=768)
    held, length = x[:256, 4:], torch.randint(3, 8, (256, 1, 1))
    held = held * (torch.arange(8)[:, None] >= 8 - length)  # shorter ones, padded in front
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x[256:], y[256:], steps=160)
    held_out = (held if mended else 1000 * held), y[:256]
    with_validation(watch, model, optimizer, data, held_out, F.mse_loss)
