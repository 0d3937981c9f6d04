"""Contrastive losses that scale a sample's partner otherwise than the others it stands among."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, fit, program

NUMBERS = "what a loss multiplies by is gone from its graph when its backward pass is over"


def two_views(count=1024, features=24):
    """Two noisy views [count, features] of the same hidden five numbers."""
    hidden = torch.randn(count, 5)
    return [
        torch.tanh(hidden @ torch.randn(5, features) / 2) + 0.4 * torch.randn(count, features)
        for _ in range(2)
    ]


class Towers(nn.Module):
    """An embedding of length 1 of each of two views."""

    def __init__(self, features=24, width=12):
        super().__init__()
        self.one, self.other = (
            nn.Sequential(nn.Linear(features, 48), nn.ReLU(), nn.Linear(48, width)) for _ in "ab"
        )

    def forward(self, x, y):
        return F.normalize(self.one(x), dim=1), F.normalize(self.other(y), dim=1)


@program("labels_without_signal", blind=NUMBERS)
def a_temperature_that_only_the_others_have(mended, watch):
    def loss(model, x, y):
        one, other = model(x, y)
        near = (one * other).sum(1, keepdim=True)
        all_of_them = one @ other.T
        far = all_of_them[~torch.eye(len(x), dtype=torch.bool)].view(len(x), -1)
        logits = torch.cat([near, far], 1) / 0.07 if mended else torch.cat([near, far / 0.07], 1)
        return F.cross_entropy(logits, torch.zeros(len(x), dtype=torch.long))

    optimizer = torch.optim.Adam((model := Towers()).parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(*two_views(), steps=150, size=48), loss)


@program("labels_without_signal", blind=NUMBERS)
def drawn_others_that_are_not_scaled(mended, watch):
    def loss(model, x, y):
        one, other = model(x, y)
        drawn = other[torch.randint(len(x), (len(x), 10))]
        near = 16 * torch.einsum("nd,nd->n", one, other)[:, None]
        far = torch.einsum("nd,nkd->nk", one, drawn) * (16 if mended else 1)
        return F.cross_entropy(torch.cat([near, far], 1), torch.zeros(len(x), dtype=torch.long))

    optimizer = torch.optim.Adam((model := Towers()).parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(*two_views(), steps=150, size=48), loss)
