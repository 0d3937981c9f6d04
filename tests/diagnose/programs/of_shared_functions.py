"""Networks that call one activation object behind several layers, one of which is dead."""

import torch
from torch import nn

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, program


class Perceptron(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.one, self.two, self.three = (
            nn.Linear(10, width),
            nn.Linear(width, width),
            nn.Linear(width, width),
        )
        self.out, self.act = nn.Linear(width, 4), nn.ReLU()

    def forward(self, x):
        x = self.act(self.one(x))
        x = self.act(self.two(x))
        x = self.act(self.three(x))
        return self.out(x)


class Plain(nn.Module):
    """Without a way around: one function behind each of three normalised convolutions."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(a, 12, 3, padding=1) for a in (1, 12, 12))
        self.norms = nn.ModuleList(nn.BatchNorm2d(12) for _ in range(3))
        self.relu, self.head = nn.ReLU(), nn.Linear(12, 4)

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = self.relu(norm(conv(x)))
        return self.head(x.mean((2, 3)))


@program("dead_units")
def weights_below_zero_behind_a_shared_relu(mended, watch):
    x, y = toys.blobs()
    model = Perceptron()
    if not mended:
        nn.init.uniform_(model.two.weight, -0.3, 0.0)
        nn.init.constant_(model.two.bias, -0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("dead_units")
def a_normalisation_that_begins_far_below_zero_before_a_shared_relu(mended, watch):
    x, y = toys.pictures()
    model = Plain()
    if not mended:
        nn.init.constant_(model.norms[1].bias, -6.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)
