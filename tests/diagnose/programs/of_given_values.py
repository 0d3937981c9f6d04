"""Programs whose layers are given what is no number, or in which the loss comes to be none."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program
from tests.usual_step import descend


class OfBands(nn.Module):
    """Classifies by the logarithm of the energy in bands of frequency."""

    def __init__(self, least):
        super().__init__()
        self.least = least
        self.bands = nn.Linear(10, 24)
        self.head = nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x):
        return self.head(torch.log(F.relu(self.bands(x)) + self.least))


@program("not_finite")
def logarithm_of_rectified_bands(mended, watch):
    x, y = toys.blobs()
    model = OfBands(1e-3 if mended else 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))


class Contrasted(nn.Module):
    """Divides each map by its own spread, which is 0 where nothing is left after the ReLU."""

    def __init__(self, least):
        super().__init__()
        self.least = least
        self.first = nn.Conv2d(1, 12, 3, padding=1)
        self.rest = nn.Sequential(
            nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 64, 4)
        )
        nn.init.constant_(self.first.bias[:2], -9.0)

    def forward(self, x):
        maps = F.relu(self.first(x))
        return self.rest(maps / (maps.std((2, 3), keepdim=True) + self.least))


@program("not_finite")
def maps_divided_by_a_spread_of_nothing(mended, watch):
    x, y = toys.pictures()
    model = Contrasted(1e-3 if mended else 0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))


@program("in_evaluation_mode")
def evaluation_mode_left_on_with_a_large_rate(mended, watch):
    x, y = toys.blobs(features=16, apart=1.0)
    model = nn.Sequential(
        *(nn.Linear(16, 64), nn.BatchNorm1d(64), nn.ReLU()),
        *(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU()),
        nn.Linear(64, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.4, momentum=0.9)
    with watch(model) as scope:
        for number, (batch_x, batch_y) in enumerate(batches(x, y, steps=150)):
            if number % 30 == 2:
                model.eval()
                with torch.no_grad():
                    model(x[:64])
                if mended:
                    model.train()
            descend(scope, optimizer, F.cross_entropy(model(batch_x), batch_y))
            if number % 30 == 29:
                model.train()
