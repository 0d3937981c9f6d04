"""The share of its input that a convolution never reads, compared with its gradient."""

import pytest
import torch
from torch import nn

from layerscope.figures.layer_facts import skipped_places


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [(3, 1, 1), (2, 2, 1), (2, 3, 1), (3, 2, 2), (3, 4, 3), (2, 6, 1), (4, 3, 1), (3, 6, 2)],
)
def test_it_is_the_share_of_places_that_get_no_gradient(kernel, stride, dilation):
    layer = nn.Conv1d(1, 1, kernel, stride=stride, dilation=dilation)
    x = torch.randn(1, 1, 240, requires_grad=True)
    layer(x).sum().backward()
    inside = x.grad[0, 0, 24:216]  # a whole number of strides, away from the edges
    assert skipped_places(layer) == pytest.approx((inside == 0).float().mean().item())


@pytest.mark.parametrize(
    "module", [nn.Conv2d(3, 8, 1, stride=2), nn.Linear(3, 3), nn.Conv2d(3, 8, 4, stride=4)]
)
def test_shortcuts_patches_and_other_layers_skip_nothing(module):
    assert skipped_places(module) == 0.0


def test_axes_are_multiplied():
    assert skipped_places(nn.Conv2d(1, 1, (2, 3), stride=(4, 3))) == 0.5
    assert skipped_places(nn.Conv2d(1, 1, (1, 2), stride=(2, 4))) == 0.5
