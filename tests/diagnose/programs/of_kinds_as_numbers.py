"""Kinds of things that a network is given as their numbers."""

import torch
from torch.nn import functional as F  # noqa: N812

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
