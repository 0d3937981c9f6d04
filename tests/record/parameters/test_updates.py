"""What a step changed, and what of it rounding swallowed."""

import numpy as np
import pytest
import torch
from torch import nn

from layerscope.record.parameters.updates import Updates


def stepped(dtype, make, lr):
    """(a parameter's values before, its gradient, its values after, the reading of the update)."""
    torch.manual_seed(0)
    parameter = nn.Parameter(torch.randn(64, 8).to(dtype))
    parameter.grad = torch.randn(64, 8).to(dtype)
    parameter.grad[::4] = 0
    before = parameter.detach().clone()
    updates = Updates([nn.Parameter(torch.ones(3)), parameter])
    updates.begin([True, True])
    make([parameter], lr=lr).step()
    return before, parameter.grad, parameter.detach(), updates.end().reading().get()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("make", "lr"), [(torch.optim.SGD, 2e-3), (torch.optim.Adam, 1e-3), (torch.optim.Adam, 1e-1)]
)
def test_the_share_of_elements_that_rounding_left_is_counted_of_those_with_a_gradient(
    dtype, make, lr
):
    before, gradient, after, read = stepped(dtype, make, lr)
    driven = lost = 0
    for old, slope, new in zip(
        *(tensor.flatten().tolist() for tensor in (before, gradient, after)), strict=True
    ):
        driven += slope != 0
        lost += slope != 0 and old == new
    assert driven == 48 * 8
    assert read.lost[1] == pytest.approx(lost / driven)
    assert (0.2 < read.lost[1] < 1) == (dtype is torch.bfloat16 and lr < 1e-1)


def test_nothing_is_counted_of_wider_types():
    *_, read = stepped(torch.float32, torch.optim.SGD, 1e-12)
    assert np.isnan(read.lost).all()
    assert not np.isnan([read.update, read.weight]).any()


def test_nothing_is_counted_where_the_gradient_is_gone():
    parameter = nn.Parameter(torch.ones(4, 4, dtype=torch.bfloat16))
    updates = Updates([parameter])
    updates.begin([True])
    read = updates.end().reading().get()
    assert np.isnan(read.lost[0])
    assert (read.update[0], read.weight[0]) == (0.0, 1.0)


def test_a_large_weight_of_16_bits_has_a_size_that_its_own_type_could_not_hold():
    parameter = nn.Parameter(torch.full((2000, 2500), 40.0, dtype=torch.float16))
    parameter.grad = torch.ones_like(parameter)
    updates = Updates([parameter])
    updates.begin([True])
    torch.optim.SGD([parameter], lr=32.0).step()
    read = updates.end().reading().get()
    assert (read.update[0], read.weight[0]) == pytest.approx((32, 40), rel=1e-6)
