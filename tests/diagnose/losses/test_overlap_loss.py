"""A loss of overlap that gets raw scores is told by its slopes and its value."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.losses.loss_view import view_loss

MASKS = (torch.rand(6, 40, generator=torch.Generator().manual_seed(1)) > 0.7).float()


def dice(p, y, over):
    return 1 - ((2 * (p * y).sum(over) + 1) / (p.sum(over) + y.sum(over) + 1)).mean()


def jaccard(p, y, over):
    both = (p * y).sum(over)
    return 1 - ((both + 1e-6) / (p.sum(over) + y.sum(over) - both + 1e-6)).mean()


def seen(loss_of, activate, features=1):
    torch.manual_seed(0)
    output = activate(torch.randn(6, 40) + 0.5).reshape(-1, features).requires_grad_()
    loss = loss_of(output.reshape(6, 40))
    (slope,) = torch.autograd.grad(loss, output)
    matrices = output.detach().double().numpy(), slope.double().numpy()
    return view_loss(*matrices, len(output), loss.item(), slope.square().sum().item()).kind


@pytest.mark.parametrize("overlap", [dice, jaccard])
@pytest.mark.parametrize("over", [(0, 1), 1])
def test_raw_scores_are_told_from_probabilities(overlap, over):
    def loss_of(p):
        return overlap(p, MASKS, over)

    assert seen(loss_of, lambda z: z) is Loss.OVERLAP_OF_SCORES
    assert seen(loss_of, torch.sigmoid) is Loss.UNKNOWN


def test_a_mean_over_classes_is_one_of_overlaps():
    assert (
        seen(lambda p: dice(p.reshape(80, 3), MASKS.reshape(80, 3), 0), lambda z: z, features=3)
        is Loss.OVERLAP_OF_SCORES
    )


def test_other_losses_of_two_slopes_are_none_of_overlap():
    signs = 2 * MASKS - 1

    def critic(p):  # of true and false samples, of which there are not as many
        return p[MASKS == 0].mean() - p[MASKS == 1].mean()

    kinds = [
        seen(loss_of, lambda z: z)
        for loss_of in (
            critic,
            lambda p: -critic(p),
            lambda p: (p * signs).mean(),
            lambda p: F.relu(1 - signs * p).mean(),
            lambda p: F.l1_loss(p, MASKS),
        )
    ]
    assert Loss.OVERLAP_OF_SCORES not in kinds
