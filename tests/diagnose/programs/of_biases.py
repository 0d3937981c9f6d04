"""Networks without a single bias, whose answer depends on the direction of an input alone."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, practice, program


@program("labels_without_signal", follows=("dead_units", "loss_not_falling"))
def a_ring_from_layers_without_biases(mended, watch):
    x, y = toys.ring()
    model = nn.Sequential(
        *(nn.Linear(2, 32, bias=mended), nn.ReLU(), nn.Linear(32, 32, bias=mended), nn.ReLU()),
        nn.Linear(32, 2, bias=mended),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=300), cross_entropy)


class Brightness(nn.Module):
    """Convolutions without biases, and no function with a bend but at 0."""

    def __init__(self, bias):
        super().__init__()
        self.first = nn.Conv2d(1, 12, 3, padding=1, bias=bias)
        self.second = nn.Conv2d(12, 12, 3, padding=1, bias=bias)
        self.out = nn.Linear(12, 1, bias=bias)

    def forward(self, x):
        x = F.leaky_relu(self.second(F.leaky_relu(self.first(x), 0.1)), 0.1)
        return self.out(x.mean((2, 3)))[:, 0]


@program("labels_without_signal", follows=("loss_not_falling",))
def pictures_whose_brightness_decides_without_biases(mended, watch):
    light = torch.rand(1024)
    x = (0.2 + light)[:, None, None, None] * (1 + 0.3 * torch.randn(1024, 1, 8, 8))
    y = (light > 0.5).float()
    model = Brightness(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x, y, steps=300)
    loss_of = F.binary_cross_entropy_with_logits
    fit(watch, model, optimizer, data, lambda net, x, y: loss_of(net(x), y))


@practice
def corners_of_a_plane_from_layers_without_biases(watch):
    x = torch.randn(1024, 2)
    y = (x[:, 0] * x[:, 1] > 0).long()
    model = nn.Sequential(
        *(nn.Linear(2, 32, bias=False), nn.ReLU(), nn.Linear(32, 32, bias=False), nn.ReLU()),
        nn.Linear(32, 2, bias=False),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=300), cross_entropy)
