"""Healthy programs whose targets are places, squares of outputs, or the network's own inputs."""

import copy
import math

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.practice_later import perceptron
from tests.diagnose.programs.program import batches, fit, practice


def _follow(copied, network, share):
    with torch.no_grad():
        for mean, weight in zip(copied.parameters(), network.parameters(), strict=True):
            mean.lerp_(weight, share)


@practice
def keys_in_a_queue(watch):
    x, _ = toys.pictures(count=1024)
    model = nn.Sequential(nn.Flatten(), perceptron(64, 64, 16))
    keys, queue = copy.deepcopy(model), F.normalize(torch.randn(16, 256), dim=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def loss_of(model, x):
        nonlocal queue
        one, other = (x + 0.1 * torch.randn_like(x) for _ in range(2))
        query = F.normalize(model(one), dim=1)
        with torch.no_grad():
            _follow(keys, model, 0.01)
            key = F.normalize(keys(other), dim=1)
        logits = torch.cat([(query * key).sum(1, keepdim=True), query @ queue], 1)
        queue = torch.cat([key.T, queue], 1)[:, :256]
        return F.cross_entropy(logits / 0.1, torch.zeros(len(x), dtype=torch.long))

    fit(watch, model, optimizer, batches(x, steps=200), loss_of)


class OfNextItems(nn.Module):
    """Scores of some items, given those before: [n, candidates]."""

    def __init__(self):
        super().__init__()
        self.items, self.past = nn.Embedding(100, 16), nn.GRU(16, 16, batch_first=True)

    def forward(self, past, candidates):
        state = self.past(self.items(past))[0][:, -1]
        return torch.einsum("nd,nkd->nk", state, self.items(candidates))


@practice
def the_next_item_before_some_that_are_drawn(watch):
    first = torch.randint(10, (2048, 1)) * 10
    past, following = (first + torch.randint(10, (2048, length)) for length in (6, 1))
    model = OfNextItems()

    def loss_of(model, past, following):
        candidates = torch.cat([following, torch.randint(100, (len(past), 9))], 1)
        return F.cross_entropy(model(past, candidates), torch.zeros(len(past), dtype=torch.long))

    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(past, following, steps=150), loss_of)


class Shifts(nn.Module):
    """Points [n, 2] and how much their density is changed, by additive steps (Dinh et al. 2014)."""

    def __init__(self):
        super().__init__()
        self.by = nn.ModuleList(perceptron(1, 48, 48, 1) for _ in range(4))
        self.scale = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        one, other = x.chunk(2, 1)
        for by in self.by:
            one, other = other + by(one), one
        return torch.cat([one, other], 1) * self.scale.exp(), self.scale.sum()


@practice
def points_that_are_to_be_normal(watch):
    angle = math.pi * torch.rand(2048)
    x = torch.stack([angle.cos(), angle.sin() - 0.6], 1) + 0.1 * torch.randn(2048, 2)

    def loss_of(model, x):
        z, volume = model(x)
        return (z.square() / 2 + math.log(2 * math.pi) / 2).sum(1).mean() - volume

    model = Shifts()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, steps=250, size=128), loss_of)


class ThroughAState(nn.Module):
    """A sequence [n, steps, 1] from the last state of the same sequence."""

    def __init__(self):
        super().__init__()
        self.read = nn.LSTM(1, 48, batch_first=True)
        self.write, self.out = nn.LSTM(48, 48, batch_first=True), nn.Linear(48, 1)

    def forward(self, x):
        state = self.read(x)[1][0][-1]
        return self.out(self.write(state[:, None].expand(-1, x.shape[1], -1))[0])


@practice
def a_sequence_through_a_wide_state(watch):
    x, _ = toys.waves(count=1024, length=16)
    model = ThroughAState()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, steps=150), lambda model, x: F.mse_loss(model(x), x))
