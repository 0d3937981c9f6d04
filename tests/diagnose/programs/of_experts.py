"""Mixtures of experts whose router sends all tokens to few of them."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, program


class Switch(nn.Module):
    """One of eight experts for each row; `balance` is the loss of Fedus et al. 2022."""

    def __init__(self, width, experts=8):
        super().__init__()
        self.gate = nn.Linear(width, experts, bias=False)
        self.bias = torch.zeros(experts)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, width))
            for _ in range(experts)
        )

    def forward(self, x):
        p = self.gate(x).softmax(-1)
        chosen = F.one_hot((p + self.bias).argmax(-1), len(self.experts)).float()
        self.load = chosen.sum(0)
        self.balance = len(self.experts) * (chosen.mean(0) * p.mean(0)).sum()
        shares = chosen * p
        return x + sum(shares[:, [i]] * expert(x) for i, expert in enumerate(self.experts))


@program("experts_unused", first=False)  # the router's softmax is saturated, too
def a_router_on_features_that_are_all_positive(mended, watch):
    x, y = toys.blobs(features=16)
    x, balance = (x, 0.1) if mended else (x + 8, 0.0)
    mixture = Switch(16)
    model = nn.Sequential(mixture, nn.LayerNorm(16), nn.Linear(16, 4))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def loss(model, x, y):
        return F.cross_entropy(model(x), y) + balance * mixture.balance

    fit(watch, model, optimizer, batches(x, y, steps=200, size=256), loss)


class Topics(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.mixture, self.out = nn.Embedding(60, 16), Switch(16), nn.Linear(16, 3)

    def forward(self, tokens):
        rows = self.embedding(tokens)
        return self.out(self.mixture(rows.flatten(0, 1)).unflatten(0, tokens.shape).mean(1))


@program("experts_unused")
def a_bias_that_favours_the_busy_expert(mended, watch):
    """Balanced without a loss (Wang et al. 2024): the bias of an expert goes down if it is busy."""
    tokens, topic = toys.phrases()
    model = Topics()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)

    def loss(model, tokens, topic):
        value = cross_entropy(model, tokens, topic)
        busy = (model.mixture.load - model.mixture.load.mean()).sign()
        model.mixture.bias += (-0.01 if mended else 0.01) * busy
        return value

    fit(watch, model, optimizer, batches(tokens, topic, steps=200), loss)
