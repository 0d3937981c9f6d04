"""Programs whose Adam averages over too few steps."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program

LARGE_STEPS = ("update_too_large", "loss_diverged", "not_finite", "gradient_spike", "dead_units")


@program("optimizer_averages", follows=(*LARGE_STEPS, "saturated", "overconfident_start"))
def a_second_beta_of_nothing_beside_the_first(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(108, 24), nn.ReLU(), nn.Linear(24, 4)),
    )
    betas = (0.9, 0.999) if mended else (0.9, 0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=betas)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@program("optimizer_averages", follows=LARGE_STEPS)
def betas_of_nothing_for_a_surface(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(
        nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
    )
    betas = (0.9, 0.999) if mended else (0.0, 0.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2, betas=betas)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.mse_loss))
