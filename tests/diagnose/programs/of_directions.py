"""Losses of which only the output's direction counts, the wrong way round."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, blobs, fit, program


def directions(watch, loss_of, steps=80):
    """loss_of(output [samples, 12], direction of its class, which is of length 3)."""
    x, y = blobs(classes=6, features=10)
    words = 3 * F.normalize(torch.randn(6, 12), dim=1)
    model = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 12))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(
        watch, model, optimizer, batches(x, words[y], steps=steps), lambda m, x, w: loss_of(m(x), w)
    )


@program("negative_loss")
def a_cosine_similarity_for_a_distance(mended, watch):
    similarity = nn.CosineSimilarity()
    directions(watch, lambda o, w: (1 - similarity(w, o) if mended else similarity(w, o)).mean())


@program("negative_loss")
def products_of_unit_vectors_without_their_minus(mended, watch):
    def loss(output, word):
        products = (F.normalize(output, dim=-1) * F.normalize(word, dim=-1)).sum(-1)
        return -products.sum() / len(word) if mended else products.sum() / len(word)

    directions(watch, loss)
