"""Data that no layer gets alone: they are joined with an embedding, and nobody has scaled them."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program


class Joined(nn.Module):
    """Numbers beside an embedding of a kind, through one network of two hidden layers."""

    def __init__(self, kinds, numbers, outputs, hidden=48):
        super().__init__()
        self.kind = nn.Embedding(kinds, 6)
        layers = [nn.Linear(numbers + 6, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
        self.net = nn.Sequential(*layers, nn.Linear(hidden, outputs))

    def forward(self, numbers, kind):
        return self.net(torch.cat([numbers, self.kind(kind)], dim=1))


@program("input_scale")
def rents_beside_the_district(mended, watch):
    area, year = 40 + 120 * torch.rand(1024, 1), 1900 + 120 * torch.rand(1024, 1)
    district = torch.randint(9, (1024,))
    x = torch.cat([area, year, 10 * torch.rand(1024, 2)], 1)
    rent = toys.standard(area / 40 + district[:, None] / 3 + 0.2 * torch.randn(1024, 1))
    model = Joined(9, 4, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = batches(toys.standard(x) if mended else x, district, rent, steps=120)
    fit(watch, model, optimizer, data, lambda m, x, kind, y: F.mse_loss(m(x, kind), y))


@program("input_scale")
def readings_in_millivolts_beside_the_sensor(mended, watch):
    sensor = torch.randint(5, (900,))
    volts = torch.randn(900, 7) + 0.1 * sensor[:, None]
    fails = (volts[:, 0] * (sensor - 2) + volts[:, 1] > 0).long()
    model = Joined(5, 7, 2, hidden=32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    data = batches(volts if mended else 1000 * volts, sensor, fails, steps=120)
    fit(watch, model, optimizer, data, lambda m, x, kind, y: F.cross_entropy(m(x, kind), y))
