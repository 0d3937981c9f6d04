"""Programs whose scales begin far above 1."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, of_output, program


class Scale(nn.Module):
    def __init__(self, width, first):
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), first))

    def forward(self, x):
        return x * self.weight


@program("overconfident_start", also=("loss_diverged",))
def a_scale_of_ones_own_that_begins_at_thousands(mended, watch):
    """Meant to undo a division that is not made any more."""
    x, y = toys.blobs()
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), Scale(32, 1.0 if mended else 4096.0))
    model.append(nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    fit(watch, model, optimizer, batches(x, y, steps=120), cross_entropy)


@program("overconfident_start")
def a_normalisation_that_was_filled_with_thousands(mended, watch):
    x, y = toys.surface()
    norm = nn.RMSNorm(64)
    nn.init.constant_(norm.weight, 1.0 if mended else 5000.0)
    model = nn.Sequential(nn.Linear(6, 64), nn.GELU(), norm, nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))
