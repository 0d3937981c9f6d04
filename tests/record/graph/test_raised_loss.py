"""A function around a criterion is read off its graph, before a backward pass and after it."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.criterion_in_loss import EXPONENTIAL, raised

LABELS = torch.arange(12) % 3


def told(loss_of):
    """Of loss_of(scores [12, 3])."""
    loss = loss_of(torch.randn(12, 3, requires_grad=True))
    before = raised(loss.grad_fn)
    loss.backward()
    assert raised(loss.grad_fn) == before
    return before


def entropy(scores):
    return F.cross_entropy(scores, LABELS)


def error(scores):
    return F.mse_loss(scores, torch.zeros(12, 3))


@pytest.mark.parametrize(
    ("loss_of", "power"),
    [
        (lambda s: entropy(s).exp(), EXPONENTIAL),
        (lambda s: torch.exp(entropy(s) / 2 + 1), EXPONENTIAL),
        (lambda s: torch.exp(s.square().mean()), EXPONENTIAL),
        (lambda s: F.binary_cross_entropy_with_logits(s, torch.ones(12, 3)).exp(), EXPONENTIAL),
        (lambda s: error(s) ** 3, 3.0),
        (lambda s: (e := error(s)) * e, 2.0),
    ],
    ids=["exp", "of a share", "of a mean", "of bits", "cube", "by itself"],
)
def test_the_function_is_seen(loss_of, power):
    assert told(loss_of) == power


@pytest.mark.parametrize(
    "loss_of",
    [
        entropy,
        lambda s: error(s).sqrt(),
        lambda s: error(s) ** 0.5,
        lambda s: torch.exp(s).mean(),
        lambda s: torch.exp(-entropy(s)),
        lambda s: (1 - torch.exp(-entropy(s))) ** 2 * entropy(s),
        lambda s: (s.mean() - 1) ** 2,
        lambda s: error(s) * entropy(s),
        lambda s: torch.exp(-error(s)) * entropy(s) + error(s),
    ],
    ids=[
        *("criterion", "root", "power below 1", "mean of exp", "a probability", "focal"),
        *("distance of a mean", "a product", "a weight"),
    ],
)
def test_what_does_not_grow_faster_is_not_one(loss_of):
    assert told(loss_of) == 0
