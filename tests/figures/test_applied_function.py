"""Targets behind a function of the training loop are found again, and lie within it or beyond."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.figures.applied_function import beyond_function
from layerscope.record.graph.function_in_loss import AppliedFunction

OUTPUT = torch.randn(24, 2, generator=torch.Generator().manual_seed(0))
FUNCTIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}


def figures(name, targets, criterion=F.mse_loss, *, data=(), alone=True, factor=False, part=24):
    output = OUTPUT.clone().requires_grad_()
    loss = criterion(FUNCTIONS[name](output), targets)
    (gradient,) = torch.autograd.grad(loss, output)
    values, slopes = output.detach()[:part].double().numpy(), gradient[:part].double().numpy()
    about = AppliedFunction(name, output.numel(), alone, factor)
    given = [each[:part].numpy() for each in data]
    return beyond_function(about, values, slopes, len(targets), loss.item(), given)


WITHIN = {"sigmoid": (0, 1), "tanh": (-1, 1), "relu": (0, np.inf)}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("part", [24, 12])
def test_targets_of_a_mean_square_are_within_a_function_or_beyond_it(name, part):
    inside = torch.linspace(0.01, 0.99, 48)[7 * torch.arange(48) % 48].reshape(24, 2)
    low, high = WITHIN[name]
    told = figures(name, inside, part=part)
    assert told == {"output_low": low, "output_high": high, "target_beyond": 0.0}
    targets = 4 * inside - 2
    known = targets[:part][OUTPUT[:part] > (0 if name == "relu" else -9)]
    apart = max(low - float(known.min()), float(known.max()) - high)
    told = figures(name, targets, part=part)["target_beyond"]
    assert told == pytest.approx(apart / float(known.std(correction=0)), 1e-3)


@pytest.mark.parametrize("name", ["sigmoid", "tanh"])
def test_a_factor_on_the_mean_square_is_found(name):
    targets = 3 * OUTPUT.roll(1, 0)
    scaled = figures(name, targets, lambda z, y: 7 * F.mse_loss(z, y), factor=True)
    assert scaled["target_beyond"] == pytest.approx(figures(name, targets)["target_beyond"], 1e-3)
    # Of a part of the samples, or of what is flat, the loss does not tell it.
    assert figures(name, targets, lambda z, y: 7 * F.mse_loss(z, y), factor=True, part=12) == {}
    assert figures("relu", targets, lambda z, y: 7 * F.mse_loss(z, y), factor=True) == {}


def test_of_a_sum_the_targets_are_known_where_they_are_the_data():
    def criterion(z, y):
        return 0.3 * (z - y).square().sum()

    x = 2 * OUTPUT.roll(1, 0)
    assert figures("sigmoid", x, criterion, alone=False) == {}
    assert figures("sigmoid", x, criterion, alone=False, data=(x + 1,)) == {}
    assert figures("sigmoid", x, criterion, alone=False, data=(x,))["target_beyond"] > 1
