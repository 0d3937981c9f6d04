"""Norms of one's own whose squares float16 cannot hold."""

import torch
from torch import nn

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, program


class Gain(nn.Module):
    """Rows of length 1, times a gain for each feature."""

    def __init__(self, width, dtype):
        super().__init__()
        self.weight, self.dtype = nn.Parameter(torch.ones(width)), dtype

    def forward(self, x):
        x = x.to(self.dtype)
        return (x / x.square().sum(-1, keepdim=True).sqrt()).float() * self.weight


@program("collapsed")
def a_length_in_half_precision(mended, watch):
    x, y = toys.pictures()
    x = 255 * x.flatten(1) + 100
    dtype = torch.float32 if mended else torch.float16
    model = nn.Sequential(Gain(64, dtype), nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=60), cross_entropy)


@program("collapsed")
def large_features_before_a_norm_in_half_precision(mended, watch):
    x, y = toys.blobs(classes=4, features=12)
    first = nn.Linear(12, 256)
    with torch.no_grad():
        first.weight.mul_(300)
    norm = Gain(256, torch.float32 if mended else torch.float16)
    model = nn.Sequential(first, norm, nn.Linear(256, 4))
    optimizer = torch.optim.SGD(model[1:].parameters(), lr=0.5, momentum=0.9)
    first.requires_grad_(False)
    fit(watch, model, optimizer, batches(x, y, steps=60), cross_entropy)
