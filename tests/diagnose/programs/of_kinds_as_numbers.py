"""Kinds of things that a network is given as their numbers."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, of_output, program


@program("input_scale")
def letters_as_their_numbers(mended, watch):
    tokens = torch.randint(26, (1024, 4))
    y = torch.randint(2, (26,))[tokens].sum(1).ge(2).long()
    x = F.one_hot(tokens, 26).flatten(1).float() if mended else tokens.float()
    model = perceptron(x.shape[1], 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=200), cross_entropy)


@program("input_scale")
def shops_and_wares_as_their_numbers(mended, watch):
    shop, ware = torch.randint(12, (1024,)), torch.randint(30, (1024,))
    y = (torch.randn(12)[shop] + torch.randn(30)[ware])[:, None]
    price = torch.randn(1024, 1)
    kinds = torch.stack([shop, ware], 1).float()
    kinds = torch.cat([F.one_hot(shop), F.one_hot(ware)], 1).float() if mended else kinds
    x = torch.cat([kinds, price], 1)
    model = perceptron(x.shape[1], 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.mse_loss))


class OfLeaves(nn.Module):
    """A class of each row of measurements between 0 and 1, which are looked up as tokens are."""

    def __init__(self, mended):
        super().__init__()
        self.lookup = nn.Linear(1, 8) if mended else nn.Embedding(10, 8)
        self.hidden, self.head = nn.Linear(6 * 8, 32), nn.Linear(32, 3)
        self.mended = mended

    def forward(self, x):
        each = self.lookup(x[..., None]) if self.mended else self.lookup(x.long())
        return self.head(self.hidden(each.flatten(1)).relu())


@program("inputs_repeat", follows=("labels_without_signal",))
def measurements_between_0_and_1_that_are_looked_up(mended, watch):
    x, y = toys.blobs(classes=3, features=6)
    x = (x - x.min(0).values) / (x.max(0).values - x.min(0).values + 1e-3)
    optimizer = torch.optim.Adam((model := OfLeaves(mended)).parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=200), cross_entropy)


class OfBeats(nn.Module):
    """Reads sequences of loudness from -0.9 to 0.9, cast to whole numbers for an embedding."""

    def __init__(self, mended):
        super().__init__()
        self.steps = nn.Linear(1, 16) if mended else nn.Embedding(4, 16)
        self.recurrent, self.head = nn.GRU(16, 32, batch_first=True), nn.Linear(32, 1)
        self.mended = mended

    def forward(self, x):
        read = self.steps(x if self.mended else x[..., 0].int())
        return self.head(self.recurrent(read)[0][:, -1])


@program("inputs_repeat", follows=("loss_not_falling",))
def loudness_cast_to_whole_numbers(mended, watch):
    x, y = toys.waves()
    optimizer = torch.optim.Adam((model := OfBeats(mended)).parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(0.9 * x, y, steps=160), of_output(F.mse_loss))
