"""Is a cross-entropy of shares with several targets of 1 in a sample told, and no other loss?"""

import pytest
import torch

from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.losses.several_classes import several_of_shares

LABELS = (torch.rand(24, 5, generator=torch.Generator().manual_seed(1)) < 0.5).double()
CLASSES = torch.eye(5).double()[torch.arange(24) % 5]


def of_shares(p, y):
    return -(y * (p + 1e-8).log()).sum(1).mean()


def over_their_sum(p, y):
    return -(y * (p / p.sum(1, keepdim=True)).log()).mean()


def of_logs(p, y):
    return -(y * p).sum()


def told(loss_of, targets, last=torch.softmax, rows=None):
    torch.manual_seed(0)
    output = last(2 * torch.randn(24, 5).double(), 1).requires_grad_()
    loss = loss_of(output, targets)
    loss.backward()
    values, slopes = output.detach().numpy(), output.grad.numpy()
    return several_of_shares(values, slopes, rows or len(values), float(loss.detach()))


@pytest.mark.parametrize(
    ("loss_of", "last"),
    [(of_shares, torch.softmax), (over_their_sum, torch.softmax), (of_logs, torch.log_softmax)],
)
def test_several_labels_of_a_sample_are_told_and_one_is_no_fault(loss_of, last):
    view = told(loss_of, LABELS, last)
    assert view.kind is Loss.SEVERAL_CLASSES
    labelled = LABELS.sum(1) > 0
    if loss_of is not over_their_sum:  # of a sample whose labels are all 1 no slope is left
        assert (view.targets[labelled] == LABELS[labelled].numpy()).all()
    assert told(loss_of, CLASSES, last) is None


def test_nothing_is_told_of_shares_of_part_of_a_batch_and_of_outputs_that_are_none():
    assert told(of_shares, 0.9 * LABELS + 0.03 * torch.rand(24, 5)) is None
    assert told(of_shares, LABELS, rows=48) is None
    assert told(of_shares, LABELS, lambda z, _: z.sigmoid()) is None
    assert told(lambda p, y: of_shares(p, y) + p.square().sum(), LABELS) is None
    assert told(lambda p, y: of_shares(p, y) + 1, LABELS) is None  # its value is another
