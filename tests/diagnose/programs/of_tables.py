"""Columns of the data that were scaled batch by batch."""

import torch
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import perceptron
from tests.diagnose.programs.program import batches, fit, program


def scaled(x, of, by_ends):
    """Columns of x from 0 to 1, or with a mean of 0 and a deviation of 1, by those of `of`."""
    if by_ends:
        return (x - of.amin(0)) / (of.amax(0) - of.amin(0))
    return (x - of.mean(0)) / of.std(0)


@program("input_scale")
def columns_from_0_to_1_in_each_batch(mended, watch):
    x, y = toys.surface()

    def loss(model, batch, y):
        return F.mse_loss(model(scaled(batch, x if mended else batch, by_ends=True)), y)

    optimizer = torch.optim.Adam((model := perceptron(6, 1)).parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150, size=8), loss)


@program("input_scale")
def columns_of_deviation_1_in_each_batch(mended, watch):
    x, y = toys.blobs(classes=3)

    def loss(model, batch, y):
        return F.cross_entropy(model(scaled(batch, x if mended else batch, by_ends=False)), y)

    optimizer = torch.optim.SGD((model := perceptron(10, 3)).parameters(), lr=0.1)
    fit(watch, model, optimizer, batches(x, y, steps=150, size=16), loss)
