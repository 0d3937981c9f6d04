"""Losses of which only the output's direction counts: the wrong way round, or too small."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program
from tests.usual_step import descend


def directions(watch, loss_of, steps=80):
    """loss_of(output [samples, 12], direction of its class, which is of length 3)."""
    x, y = toys.blobs(classes=6, features=10)
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


@program("temperature")
def cosines_of_captions_times_a_temperature(mended, watch):
    x, _ = toys.blobs(classes=16, features=12)
    nets = [nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 8)) for _ in range(2)]
    optimizer = torch.optim.Adam([*nets[0].parameters(), *nets[1].parameters()], lr=3e-3)
    with watch(nn.ModuleList(nets)) as scope:
        for (batch,) in batches(x, steps=80, size=48):
            one, other = nets[0](batch), nets[1](batch + 0.2 * torch.randn_like(batch))
            cosines = F.normalize(one, dim=1) @ F.normalize(other, dim=1).T
            logits = cosines / 0.1 if mended else cosines * 0.1
            descend(scope, optimizer, F.cross_entropy(logits, torch.arange(48)))


class OfCosines(nn.Module):
    """Logits that are cosines between features and the directions of classes, times a number."""

    def __init__(self, scale):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16))
        self.directions, self.scale = nn.Parameter(torch.randn(16, 6)), scale

    def forward(self, x):
        return (F.normalize(self.body(x), dim=1) @ F.normalize(self.directions, dim=0)) * self.scale


@program("temperature")
def a_classifier_of_cosines_divided_by_its_scale(mended, watch):
    x, y = toys.blobs(classes=6, features=10)
    model = OfCosines(16.0 if mended else 1 / 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=80), lambda m, x, y: F.cross_entropy(m(x), y))
