"""Whether the errors of single samples are cut off above is read off the graph of the loss."""

import math

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.capped_loss import clamped_of_mean_square, is_capped
from layerscope.record.graph.marked_outputs import MarkedOutputs

Y, T = torch.tensor([0, 1, 2, 1, 0, 2, 1, 2]), torch.linspace(-1, 1, 24).reshape(8, 3)


def entropies(z):
    return F.cross_entropy(z, Y, reduction="none")


def of_ratios(z):
    ratio, advantages = z.exp(), T + 2
    return -torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).mean()


CAPPED = {
    "clamped": lambda z: entropies(z).clamp(max=1).mean(),
    "clamped at both ends": lambda z: torch.clamp(entropies(z), 0.0, 2.0).sum() / 8,
    "a minimum": lambda z: torch.minimum(entropies(z), torch.tensor(1.0)).mean(),
    "squares": lambda z: (z - T).square().clamp_max(1).mean(),
    "rows": lambda z: (z - T).abs().mean(1).clamp(max=1).mean(),
    "differences": lambda z: (T - z).clamp(-1, 1).pow(2).mean(),
    "the whole": lambda z: F.mse_loss(z, T).clamp(max=0.1),
    "a term": lambda z: (
        0.5 * F.smooth_l1_loss(z, T, reduction="none").clamp(max=1).mean() + z.square().mean()
    ),
    "a weighted one": lambda z: (entropies(z).clamp(max=1) * torch.arange(8.0)).mean(),
}
NOT = {
    "an entropy": lambda z: entropies(z).mean(),
    "a hinge": lambda z: (1 - z).clamp(min=0).mean(),
    "a squared hinge": lambda z: (1 - z).clamp(min=0).square().mean(),
    "a discriminator's hinge": lambda z: -torch.minimum(torch.zeros(8, 3), z - 1).mean(),
    "outputs": lambda z: (z.clamp(0, 1) - T).square().mean(),
    "a ratio": of_ratios,
    "free bits": lambda z: (z.square() / 2).clamp(min=0.5).mean(),
    "probabilities": lambda z: -z.softmax(1).clamp(1e-7, 1 - 1e-7).log()[range(8), Y].mean(),
    "a focal factor": lambda z: (
        (1 - (-entropies(z)).exp().clamp(max=0.99)) ** 2 * entropies(z)
    ).mean(),
}


@pytest.mark.parametrize("kind", [*CAPPED, *NOT])
@pytest.mark.parametrize("after", [False, True])
def test_a_loss_that_cuts_off_errors_above_is_told_from_one_that_leaves_out_what_is_right(
    kind, after
):
    output = torch.randn(8, 3, requires_grad=True) * 2
    outputs = MarkedOutputs()
    outputs.note(output)
    loss = (CAPPED | NOT)[kind](output)
    if after:
        loss.backward()
    assert is_capped(loss.grad_fn, outputs) == (kind in CAPPED)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("loss_of", "bounds"),
    [
        (lambda z: F.mse_loss(z.clamp(0, 1), T), (0, 1)),
        (lambda z: ((z.view(24).clamp(max=2.0) - T.view(24)) ** 2).mean(), (-math.inf, 2)),
        (lambda z: (T - F.hardtanh(z)).pow(2).mean(), (-1, 1)),
        (lambda z: F.mse_loss(z, T), None),
        (lambda z: F.mse_loss(2 * z.clamp(0, 1), T), None),
        (lambda z: F.mse_loss((z - T).clamp(0, 1), T), None),
        (lambda z: F.l1_loss(z.clamp(0, 1), T), None),
        (lambda z: F.mse_loss(z.clamp(0, 1), T, reduction="sum"), None),
        (lambda z: F.mse_loss(torch.minimum(z, torch.tensor(1.0)), T), None),
        (lambda z: (z.clamp(0, 1) - T).pow(4).mean(), None),
    ],
)
def test_an_output_that_the_loss_clamps_before_it_squares_differences_is_told_with_its_bounds(
    loss_of, bounds, after
):
    output = torch.randn(8, 3, requires_grad=True) * 2
    outputs = MarkedOutputs()
    outputs.note(output)
    loss = loss_of(output)
    if after:
        loss.backward()
    assert clamped_of_mean_square(loss.grad_fn, outputs) == bounds
