"""More programs that no rule was mended on: smoothed labels, and units that die on small data."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.of_data import Convolutional, cross_entropy, perceptron
from tests.diagnose.programs.program import batches, blobs, fit, held_out, pictures


def smoothed(**options):
    return lambda m, x, y: F.cross_entropy(m(x), y, label_smoothing=0.1, **options)


@held_out("loss_after_activation")
def smoothed_labels_on_probabilities(mended, watch):
    x, y = pictures()
    model = nn.Sequential(Convolutional())
    if not mended:
        model.append(nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), smoothed())


@held_out("loss_reduction")
def a_smoothed_loss_summed_over_the_batch(mended, watch):
    x, y = blobs(classes=6)
    model = perceptron(10, 6, width=48)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss = smoothed(reduction="mean" if mended else "sum")
    fit(watch, model, optimizer, batches(x, y, size=64), loss)


@held_out("dead_units", missed="a note: the loss is down to half with the quarter that is left")
def biases_that_shut_most_units_on_a_hundred_samples(mended, watch):
    x, y = blobs(classes=3, features=4, count=100)
    model = perceptron(4, 3, width=40)
    if not mended:
        with torch.no_grad():
            model[2].bias[:30] = -25.0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, size=20), cross_entropy)


@held_out("dead_units", missed="a note: half of the units are dead, and the loss is down to half")
def a_rate_that_shuts_units_on_a_hundred_samples(mended, watch):
    x, y = blobs(classes=3, features=4, count=100)
    model = perceptron(4, 3, width=40)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05 if mended else 1.5)
    fit(watch, model, optimizer, batches(x, y, size=16), cross_entropy)
