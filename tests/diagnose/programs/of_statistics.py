"""Running statistics that nobody keeps, or that several places share."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_validations import with_validation
from tests.diagnose.programs.program import batches, program


class Normalized(nn.Module):
    """A batch normalisation over all axes but the second, as somebody has written it."""

    def __init__(self, width, axes, keeps):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
        self.axes, self.keeps = axes, keeps

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(self.axes), x.var(self.axes)
            if self.keeps:
                self.running_mean = 0.9 * self.running_mean + 0.1 * mean.detach()
                self.running_var = 0.9 * self.running_var + 0.1 * var.detach()
        shape = [1, -1, *[1] * (len(self.axes) - 1)]
        x = (x - mean.view(shape)) / (var.view(shape) + 1e-5).sqrt()
        return x * self.scale.view(shape) + self.shift.view(shape)


@program("running_statistics")
def planes_of_pictures_that_are_normalized_by_nothing_later(mended, watch):
    x, y = toys.pictures(count=768)
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), Normalized(8, (0, 2, 3), mended), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    data = batches(x[256:], y[256:], steps=120)
    with_validation(watch, model, optimizer, data, (x[:256], y[:256]), F.cross_entropy)


@program("running_statistics")
def a_table_whose_own_normalisation_forgets(mended, watch):
    x, y = toys.blobs(count=1024)
    model = nn.Sequential(
        *(nn.Linear(10, 32), Normalized(32, (0,), mended), nn.ReLU()),
        *(nn.Linear(32, 32), Normalized(32, (0,), mended), nn.ReLU(), nn.Linear(32, 4)),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    data = batches(x[256:], y[256:], steps=120)
    with_validation(watch, model, optimizer, data, (x[:256], y[:256]), F.cross_entropy)


class Unit(nn.Module):
    def __init__(self, linear, norm):
        super().__init__()
        self.linear, self.norm = linear, norm

    def forward(self, x):
        return x + self.norm(self.linear(x)).relu()


class Recurring(nn.Module):
    """The same weights three times over."""

    def __init__(self, mended):
        super().__init__()
        linear, norm = nn.Linear(24, 24), nn.BatchNorm1d(24)
        norms = [nn.BatchNorm1d(24) if mended else norm for _ in range(3)]
        self.first, self.last = nn.Linear(10, 24), nn.Linear(24, 4)
        self.units = nn.ModuleList([Unit(linear, each) for each in norms])

    def forward(self, x):
        x = self.first(x)
        for unit in self.units:
            x = unit(x)
        return self.last(x)


@program("modules_repeated")
def three_turns_with_one_normalisation(mended, watch):
    x, y = toys.blobs(count=1024, apart=2.5)
    model = Recurring(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x[256:], y[256:], steps=120)
    with_validation(watch, model, optimizer, data, (x[:256], y[:256]), F.cross_entropy)


class Levels(nn.Module):
    """One head for two sizes of a picture."""

    def __init__(self, mended):
        super().__init__()
        self.body, norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        shared = nn.Conv2d(8, 8, 3, padding=1)
        self.fine = Unit(shared, norm)
        self.coarse = Unit(shared, nn.BatchNorm2d(8) if mended else norm)
        self.out = nn.Linear(16, 4)

    def forward(self, x):
        x = self.body(x)
        both = self.fine(x), self.coarse(F.max_pool2d(x, 2))
        return self.out(torch.cat([each.amax((2, 3)) for each in both], 1))


@program("modules_repeated")
def two_levels_with_one_normalisation(mended, watch):
    x, y = toys.pictures(count=768)
    x = torch.cat([x, x.flip(3)], 3) * (1 + y[:, None, None, None])
    model = Levels(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x[256:], y[256:], steps=120)
    with_validation(watch, model, optimizer, data, (x[:256], y[:256]), F.cross_entropy)
