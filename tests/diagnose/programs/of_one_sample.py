"""Programs of which only one sample of each batch reaches the loss."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_starts import stack
from tests.diagnose.programs.program import batches, fit, program


@program("loss_reduction")
def the_first_kind_of_a_batch_alone(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    model = stack(nn.ReLU, 10, 48, 4)
    rows = slice(None) if mended else slice(1)
    loss = lambda model, x, y: F.cross_entropy(model(x)[rows], y[rows])  # noqa: E731
    fit(watch, model, torch.optim.Adam(model.parameters(), lr=2e-3), batches(x, y), loss)


@program("loss_reduction")
def the_last_picture_that_a_loop_has_kept(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))

    def loss(model, x, y):
        scores, total = model(x), 0.0
        for each, kind in zip(scores, y, strict=True):
            one = F.cross_entropy(each[None], kind[None])
            total = total + one / len(x) if mended else one
        return total

    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, size=16), loss)
