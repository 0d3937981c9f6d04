"""What a loss comes to by the output alone: all of it, or what a penalty leaves."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose.losses.classification_loss import log_of_sum
from layerscope.diagnose.losses.loss_level import loss_of
from layerscope.diagnose.losses.loss_view import view_loss

LABELS = torch.arange(24) % 3
BITS = (torch.arange(24)[:, None] % 2).float()


def level(criterion, outputs, added=0.0):
    """Of that criterion, in a loss to which something is added."""
    torch.manual_seed(0)
    output = torch.randn(24, outputs, requires_grad=True)
    loss = criterion(output)
    (gradient,) = torch.autograd.grad(loss, output)
    loss = float(loss.detach())
    values, slope = output.detach().double().numpy(), gradient.double().numpy()
    view = view_loss(values, slope, 24, loss + added, float(np.square(slope).sum()))
    return loss_of(view, values), loss


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_the_log_of_a_sum_is_numpys_also_of_what_is_not_finite_and_what_overflows():
    inf = math.inf
    rows = np.array([[1.0, 2.0], [1e4, 0.0], [-1e4, -1e4], [inf, 1.0], [-inf, -inf], [-inf, 2.0]])
    np.testing.assert_allclose(log_of_sum(rows), np.logaddexp.reduce(rows, axis=1), rtol=1e-14)
    assert np.isnan(log_of_sum(np.array([[math.nan, 1.0]])))


@pytest.mark.parametrize("added", [0.0, 5.0])
def test_a_mean_cross_entropy_is_computed_again_whatever_is_added_to_it(added):
    for of_output, loss in (
        level(lambda z: F.cross_entropy(z, LABELS), 3, added),
        level(lambda z: F.binary_cross_entropy_with_logits(z, BITS), 1, added),
    ):
        assert of_output == pytest.approx(loss, rel=1e-5)


def test_of_other_losses_it_is_not_known():
    for criterion in (
        lambda z: F.cross_entropy(z, LABELS, reduction="sum"),
        lambda z: F.cross_entropy(z, LABELS, label_smoothing=0.1),
        lambda z: F.mse_loss(z, torch.ones(24, 3)),
    ):
        assert math.isnan(level(criterion, 3)[0])
