"""Targets of errors beside other terms of a loss, read off the gradient on the output."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose.losses.error_beside import beyond, targets_among, targets_of_mean

X = torch.randn(12, 3).double()
NOISE = torch.randn(12, 3).double()


def slopes(loss_of):
    torch.manual_seed(0)
    output = torch.rand(12, 3).double().requires_grad_()
    loss = loss_of(output)
    loss.backward()
    return output.detach().numpy(), output.grad.numpy(), loss.item()


@pytest.mark.parametrize(
    "loss_of",
    [
        *(lambda o: 0.3 * F.mse_loss(o, X), lambda o: (o - X).abs().sum() + 5),
        lambda o: -(X * o.log() + (1 - X) * (1 - o).log()).mean(),
    ],
    ids=["squared", "absolute", "binary"],
)
def test_an_error_draws_to_the_data_that_its_slopes_are_in_proportion_to(loss_of):
    output, gradient, _ = slopes(loss_of)
    others = NOISE.numpy(), X[:, :2].numpy()
    assert targets_among(output, gradient, [*others, X.numpy()]) is not None
    assert targets_among(output, gradient, others) is None
    assert targets_among(output, -gradient, [X.numpy()]) is None


def test_an_error_beside_another_term_of_the_output_or_of_few_numbers_draws_to_none():
    output, gradient, _ = slopes(lambda o: F.mse_loss(o, X) + 0.1 * o.square().mean())
    assert targets_among(output, gradient, [X.numpy()]) is None
    assert targets_among(output[:2], (output - X.numpy())[:2], [X[:2].numpy()]) is None


@pytest.mark.parametrize(("factor", "told"), [(1.0, True), (0.5, True), (4.0, False)])
def test_targets_of_a_mean_are_told_as_long_as_the_loss_is_no_less_than_it(factor, told):
    output, gradient, loss = slopes(lambda o: F.mse_loss(o, X) + 1.0)
    # A factor that is not in the graph, as one of the gradients' own.
    gradient = factor * gradient
    targets = targets_of_mean(output, gradient, 12, loss, float((gradient**2).sum()))
    assert (targets is not None) == told
    if factor == 1:
        np.testing.assert_allclose(targets, X.numpy(), atol=1e-9)
    if factor < 1:  # between outputs and targets
        assert beyond(targets, 0.0, 1.0) < beyond(X.numpy(), 0.0, 1.0)


def test_how_far_targets_lie_outside_is_told_in_their_spread():
    targets = np.array([[-1.0], [1.0]])
    assert beyond(targets, 0.0, 1.0) == 1
    assert beyond(targets, 0.0, np.inf) == 1
    assert beyond(targets, -np.inf, 0.5) == 0.5
    assert beyond(targets, -1.0, 1.0) == 0
