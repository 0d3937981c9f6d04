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


@program("labels_without_signal")
def the_middles_of_bars_that_lie(mended, watch):
    at = torch.randint(576, (256, 2))
    places = nn.functional.one_hot(at, 576).view(-1, 2, 24, 24).float()
    lying, standing = (
        nn.functional.max_pool2d(places[:, [i]], size, 1, pad)
        for i, size, pad in ((0, (1, 5), (0, 2)), (1, (5, 1), (2, 0)))
    )
    x = torch.maximum(lying, standing) + 0.1 * torch.randn(256, 1, 24, 24)
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()),
        nn.Conv2d(8, 1, 1),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=2e-2, momentum=0.9)
    fit(watch, model, optimizer, batches(x, places[:, :1], steps=260), weighted(mended, 200))
