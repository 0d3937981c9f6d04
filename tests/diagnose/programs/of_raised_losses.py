"""Losses that grow faster than their criterion, as a function is put around it."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program


@program("loss_reduction")
def the_exponential_of_a_squared_error(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)

    def loss(model, x, y):
        error = F.mse_loss(model(x), 2 * y)
        return error if mended else torch.exp(error)

    fit(watch, model, optimizer, batches(x, y, steps=150), loss)


@program("loss_reduction")
def a_perplexity_as_the_loss(mended, watch):
    x, y = toys.phrases(classes=6)
    model = nn.Sequential(nn.EmbeddingBag(60, 32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 6))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)

    def loss(model, x, y):
        entropy = nn.CrossEntropyLoss()(model(x), y)
        return entropy if mended else entropy.exp()

    fit(watch, model, optimizer, batches(x, y, steps=150), loss)


@program("loss_reduction")
def the_cube_of_a_cross_entropy(mended, watch):
    x, y = toys.blobs(classes=12, features=16)
    model = nn.Sequential(
        nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 12)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def loss(model, x, y):
        entropy = F.cross_entropy(model(x), y)
        return entropy if mended else entropy**3

    fit(watch, model, optimizer, batches(x, y, steps=150), loss)
