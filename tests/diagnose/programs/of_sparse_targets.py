"""Errors of maps that are nearly all ground: outputs of 0 cost next to nothing."""

import torch
from torch import nn

from tests.diagnose.programs.program import batches, fit, program


def weighted(mended, times):
    """The mean squared error, in the mended form with a larger weight where there is something."""

    def loss(model, x, y):
        error = (model(x) - y).square()
        return ((1 + times * y) * error if mended else error).mean()

    return loss


@program("labels_without_signal")
def peaks_of_one_of_two_marks(mended, watch):
    at, which = torch.randint(400, (256, 2)), torch.tensor([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]] * 2)
    which[1] = 1 - which[1]
    places = nn.functional.one_hot(at, 400).view(-1, 2, 20, 20).float()
    marks = nn.functional.conv2d(places, which[None].float(), padding=1)
    x = marks + 0.1 * torch.randn_like(marks)
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU()),
        nn.Conv2d(8, 1, 1),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=2e-2, momentum=0.9)
    fit(watch, model, optimizer, batches(x, places[:, :1], steps=260), weighted(mended, 200))
