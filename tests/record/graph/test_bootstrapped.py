"""A gradient that flows into the target of a value is told by the slopes on both outputs."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.bootstrapped import Bootstrapped


def told(loss_of, outputs=1):
    """Whether it is told of a loss of two outputs of one network, [32, outputs]."""
    torch.manual_seed(0)
    network, found, seen = nn.Linear(5, outputs), Bootstrapped(), []
    both = [network(torch.randn(32, 5)) for _ in range(2)]
    for each in both:
        each.register_hook(lambda g: seen.append(found.compare(g, 0 if seen else 2).get()))
    loss_of(*both).backward()
    return seen[-1]


DONE = (torch.arange(32) % 5 == 0).float()


def values(now, later):
    return now.max(1).values, 1 + 0.9 * (1 - DONE) * later.max(1).values


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("error", [F.mse_loss, F.smooth_l1_loss])
def test_a_target_with_a_gradient_is_told(outputs, error):
    assert told(lambda now, later: error(*values(now, later)), outputs)
    assert told(lambda later, now: error(*values(now, later)), outputs)


@pytest.mark.parametrize(
    "loss_of",
    [
        lambda now, later: F.mse_loss(now, later),
        lambda now, later: F.mse_loss(now, values(now, later)[1].detach()[:, None]),
        lambda now, later: later.mean() - now.mean(),
        lambda now, later: F.softplus(-now).mean() + F.softplus(later).mean(),
        lambda now, later: now.square().mean() + 0.5 * later.square().mean(),
    ],
    ids=["two views", "detached", "a critic", "a discriminator", "two terms"],
)
def test_other_pairs_are_none(loss_of):
    assert not told(loss_of)


def test_two_views_with_many_outputs_are_none():
    assert not told(lambda now, later: F.mse_loss(now, 0.9 * later), outputs=4)


def test_a_new_backward_pass_is_not_compared_with_the_one_before():
    found = Bootstrapped()
    assert not found.compare(torch.ones(16), 2).get()
    assert not found.compare(-0.9 * torch.ones(16), 2).get()
    assert found.compare(torch.ones(16), 0).get()
