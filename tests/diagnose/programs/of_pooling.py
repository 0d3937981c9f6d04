"""What a network chooses among its samples where it is to choose among the places of each."""

import torch
from torch import nn

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, practice, program


class Recalls(nn.Module):
    """Which value stood beside the key that is asked for: a query's products with keys [n, 5]."""

    def __init__(self, axis):
        super().__init__()
        self.key, self.value, self.asked = (
            nn.Embedding(9, 24),
            nn.Embedding(6, 24),
            nn.Linear(9, 24),
        )
        self.choose, self.out = nn.Softmax(dim=axis), nn.Linear(24, 6)

    def forward(self, keys, values, asked):
        stored = self.key(keys)
        scores = torch.einsum("nd,npd->np", self.asked(asked), stored)
        return self.out(torch.einsum("np,npd->nd", self.choose(scores), self.value(values)))


def pairs(count=2048):
    keys = torch.rand(count, 9).argsort(1)[:, :5]
    values, at = torch.randint(6, (count, 5)), torch.randint(5, (count, 1))
    asked = nn.functional.one_hot(keys.gather(1, at)[:, 0], 9).float()
    return keys, values, asked, values.gather(1, at)[:, 0]


@program("softmax_over_batch")
def pairs_that_are_looked_up_in_other_samples(mended, watch):
    model = Recalls(axis=1 if mended else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss(model, *batch):
        return nn.functional.cross_entropy(model(*batch[:3]), batch[3])

    fit(watch, model, optimizer, batches(*pairs(), steps=200), loss)


class Reads(nn.Module):
    """A recurrence over tokens, whose states are weighed by what the last of them asks for."""

    def __init__(self, axis, batch_first=True):
        super().__init__()
        self.words, self.axis, self.batch_first = nn.Embedding(60, 16), axis, batch_first
        self.states = nn.GRU(16, 24, batch_first=batch_first)
        self.ask, self.out = nn.Linear(24, 24), nn.Linear(48, 3)

    def forward(self, tokens):
        states, last = self.states(self.words(tokens))
        if self.batch_first:
            scores = (states @ self.ask(last[0]).unsqueeze(2)).squeeze(2) / 24**0.5
        else:
            scores = (states * self.ask(last)).sum(2) / 24**0.5
        mixed = (scores.softmax(self.axis).unsqueeze(2) * states).sum(int(self.batch_first))
        return self.out(torch.cat([mixed, last[0]], 1))


@program("softmax_over_batch")
def topics_of_states_that_are_weighed_along_the_batch(mended, watch):
    model = Reads(axis=1 if mended else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(*toys.phrases(), steps=120), cross_entropy)


@practice
def topics_of_states_with_time_first(watch):
    tokens, topic = toys.phrases()
    model = Reads(axis=0, batch_first=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss(model, tokens, topic):
        return cross_entropy(model, tokens.T, topic)

    fit(watch, model, optimizer, batches(tokens, topic, steps=120), loss)
