"""Are targets of a cross-entropy probabilities, by its slopes and its value?"""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose.losses.shares import Shares, shares_of


def judged(targets, times=1.0, mean=False, **options):
    torch.manual_seed(0)
    output = (2 * torch.randn(targets.shape)).requires_grad_()
    loss = times * F.cross_entropy(output, targets, **options)
    loss.backward()
    values, slopes = output.detach().double().numpy(), output.grad.double().numpy()
    return shares_of(values, slopes, float(loss.detach()), mean=mean)


SHARES = torch.rand(16, 4, generator=torch.Generator().manual_seed(1)).softmax(1)
COUNTS = torch.arange(1.0, 17)[:, None]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("times", [1.0, 0.01])
def test_targets_below_0_are_told_at_any_scale_and_probabilities_are_let_be(reduction, times):
    told = {"reduction": reduction, "times": times}
    assert judged(SHARES, **told) is Shares.MAY_BE
    assert judged(F.one_hot(torch.arange(16) % 4, 4).float(), **told) is Shares.MAY_BE
    assert judged(SHARES, label_smoothing=0.1, **told) is Shares.MAY_BE
    assert judged(SHARES - 0.3, **told) is Shares.NEGATIVE


def test_sums_that_differ_are_told_unless_samples_are_left_out():
    assert judged(F.one_hot(torch.arange(16) % 4, 4) * COUNTS) is Shares.OF_OTHER_SUMS
    assert judged(SHARES * 3) is Shares.MAY_BE  # the same as a larger learning rate
    assert judged(SHARES * 3, mean=True) is Shares.OF_OTHER_SUMS
    assert judged(SHARES, mean=True) is Shares.MAY_BE
    assert judged(SHARES * (COUNTS > 5)) is Shares.MAY_BE


def test_minus_a_cross_entropy_has_minus_its_shares_and_minus_one_of_numbers_has_none():
    assert judged(SHARES, times=-1.0) is Shares.TURNED
    assert judged(F.one_hot(torch.arange(16) % 4, 4).float(), times=-0.1) is Shares.TURNED
    assert judged(SHARES - 0.3, times=-1.0) is not Shares.TURNED
    assert judged(SHARES * (COUNTS > 5), times=-1.0) is Shares.NEGATIVE  # too little is known
    assert judged(SHARES * 3, times=-1.0, mean=True) is Shares.NEGATIVE


def test_slopes_that_do_not_add_up_to_0_are_not_those_of_a_softmax_output():
    torch.manual_seed(0)
    hidden = torch.randn(16, 4, requires_grad=True)
    loss = F.cross_entropy(hidden @ (2 * torch.randn(4, 4)), SHARES)
    loss.backward()
    values, slopes = hidden.detach().double().numpy(), hidden.grad.double().numpy()
    assert shares_of(values, slopes, float(loss.detach()), mean=False) is Shares.MAY_BE
    assert shares_of(values, slopes, float(loss.detach()), mean=True) is Shares.MAY_BE
