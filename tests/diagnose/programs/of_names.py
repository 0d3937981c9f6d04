"""Networks in which one block has several names."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, of_output, practice, program


def block(width):
    return nn.Sequential(nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU())


@program("modules_repeated")
def a_list_of_one_block_times_four(mended, watch):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(10, 32), nn.Linear(32, 4)
            own = [block(32) for _ in range(4)]
            self.blocks = nn.ModuleList(own if mended else own[:1] * 4)

        def forward(self, x):
            x = self.first(x)
            for each in self.blocks:
                x = x + each(x)
            return self.last(x)

    x, y = toys.blobs()
    model = Residual()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("modules_repeated")
def a_sequence_of_one_convolution_times_three(mended, watch):
    def unit():
        return nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())

    units = [unit() for _ in range(3)] if mended else [unit()] * 3
    x, y = toys.pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), *units),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@practice
def one_block_that_is_shared_on_purpose(watch):
    shared = nn.Sequential(nn.Linear(32, 32), nn.LayerNorm(32), nn.Tanh())
    model = nn.Sequential(nn.Linear(6, 32), *[shared] * 3, nn.Linear(32, 1))
    x, y = toys.surface()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))
