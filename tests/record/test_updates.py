"""What a step changed, and what of it rounding swallowed."""

import numpy as np
import pytest
import torch
from torch import nn

from layerscope.record.updates import Updates


def stepped(dtype, make, lr):
    """(a parameter's values before, its gradient, its values after, moments of the update)."""
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.randn(64, 8).to(dtype))
    parameter.grad = torch.randn(64, 8).to(dtype)
    parameter.grad[::4] = 0
    before = parameter.detach().clone()
    updates = Updates([nn.Parameter(torch.ones(3)), parameter])
    updates.begin([True, True])
    make([parameter], lr=lr).step()
    return before, parameter.grad, parameter.detach(), updates.end().moments


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("make", "lr"), [(torch.optim.SGD, 2e-3), (torch.optim.Adam, 1e-3), (torch.optim.Adam, 1e-1)]
)
def test_the_share_of_elements_that_rounding_left_is_counted_of_those_with_a_gradient(
    dtype, make, lr
):
    before, gradient, after, moments = stepped(dtype, make, lr)
    driven = lost = 0
    for old, slope, new in zip(
        *(tensor.flatten().tolist() for tensor in (before, gradient, after)), strict=True
    ):
        driven += slope != 0
        lost += slope != 0 and old == new
    assert driven == 48 * 8
    assert moments[1, 2] == pytest.approx(lost / driven)
    assert (0.2 < moments[1, 2] < 1) == (dtype is torch.bfloat16 and lr < 1e-1)


def test_nothing_is_counted_of_wider_types():
    *_, moments = stepped(torch.float32, torch.optim.SGD, 1e-12)
    assert np.isnan(moments[:, 2]).all()
    assert not np.isnan(moments[:, :2]).any()


def test_nothing_is_counted_where_the_gradient_is_gone():
    parameter = nn.Parameter(torch.ones(4, 4, dtype=torch.bfloat16))
    updates = Updates([parameter])
    updates.begin([True])
    moments = updates.end().moments
    assert np.isnan(moments[0, 2])
    assert moments[0, :2].tolist() == [0.0, 1.0]
