"""Terms of a loss that begin to pull some steps after the others, and one that never does."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program


class Split(nn.Module):
    """A body with a head for classes, and a branch that gives a size."""

    def __init__(self, features, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, 32), nn.Tanh())
        self.classes, self.size = nn.Linear(32, classes), nn.Linear(32, 1)

    def forward(self, x):
        hidden = self.body(x)
        return self.classes(hidden), self.size(hidden)


@program("no_gradient")
def a_bound_that_a_term_never_comes_to(mended, watch):
    x, y = toys.blobs(apart=1.0)
    model = Split(10, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    past = iter(range(1000))

    def both(m, x, y):
        scores, size = m(x)
        error = F.mse_loss(size, x.square().mean(1, keepdim=True))
        least = 10.0 if not mended or next(past) < 25 else 0.0
        return F.cross_entropy(scores, y) + 0.05 * error.clamp(min=least)

    fit(watch, model, optimizer, batches(x, y, steps=200), both)


@program("no_gradient")
def a_term_is_multiplied_by_its_warm_up(mended, watch):
    x, y = toys.blobs(classes=3, apart=1.0)
    model = Split(10, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    past = iter(range(1000))

    def both(m, x, y):
        scores, size = m(x)
        # Whole numbers: 0 until the end of the warm-up, which is not that of the training.
        weight = next(past) // (25 if mended else 1000)
        return F.cross_entropy(scores, y) + 0.1 * min(weight, 1) * F.mse_loss(size, x[:, :1])

    fit(watch, model, optimizer, batches(x, y, steps=200), both)
