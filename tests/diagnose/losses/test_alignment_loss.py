"""A CTC loss of raw scores is told by its slopes, and one of log-probabilities is none."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose.losses.alignment_loss import alignment_of_scores
from layerscope.diagnose.losses.loss_kind import Loss


def slopes(loss_of):
    torch.manual_seed(0)
    scores = torch.randn(20, 6, 5, requires_grad=True)  # [time, samples, classes]
    (slope,) = torch.autograd.grad(loss_of(scores), scores)
    both = scores.detach(), slope
    return [each.transpose(0, 1).reshape(-1, 5).double().numpy() for each in both]


@pytest.mark.parametrize("lengths", [[4] * 6, [2, 3, 4, 2, 3, 4]])
def test_an_alignment_of_scores_is_told(lengths):
    tokens = torch.randint(1, 5, (6, 4))
    steps, lengths = torch.full((6,), 20), torch.tensor(lengths)
    view = alignment_of_scores(*slopes(lambda x: F.ctc_loss(x, tokens, steps, lengths)))
    assert view.kind is Loss.ALIGNMENT_OF_SCORES
    right = slopes(lambda x: F.ctc_loss(x.log_softmax(2), tokens, steps, lengths))
    assert alignment_of_scores(*right) is None


@pytest.mark.parametrize(
    "loss_of",
    [
        lambda x: F.cross_entropy(x.flatten(0, 1), torch.arange(120) % 5),
        lambda x: (x - 1).square().mean(),
        lambda x: x.exp().mean(),
    ],
    ids=["classes", "error", "exponential"],
)
def test_other_losses_are_no_alignment(loss_of):
    assert alignment_of_scores(*slopes(loss_of)) is None


def test_scores_of_pairs_that_begin_far_below_0_are_no_alignment():
    """A sigmoid is then all but exp(x): Zhai et al. 2023, Sigmoid Loss for Image-Text Pairs."""
    torch.manual_seed(0)
    scores = (torch.randn(18, 18) - 9).requires_grad_()
    loss = -F.logsigmoid((2 * torch.eye(18) - 1) * scores).sum() / 18
    (slope,) = torch.autograd.grad(loss, scores)
    assert alignment_of_scores(scores.detach().double().numpy(), slope.double().numpy()) is None
