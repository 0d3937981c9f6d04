"""A view in the place of a transpose is told by the gradient of a cross-entropy."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.mixed_axes import mixes_axes


def gradient(shape, loss_of):
    torch.manual_seed(0)
    output = torch.randn(shape, requires_grad=True)
    loss_of(output).backward()
    return output.grad


def classes(*shape, count=6):
    return torch.arange(torch.Size(shape).numel()).reshape(shape) % count


MIXED = {
    "classes last, cut as if first": ((8, 12, 6), lambda x: (x.view(8, 6, 12), classes(8, 12))),
    "the same of a series": ((8, 6, 9), lambda x: (x.reshape(-1, 6), classes(72))),
    "channels cut as if last": ((4, 6, 8, 8), lambda x: (x.view(-1, 6), classes(256))),
    "pictures, classes last": ((4, 8, 8, 6), lambda x: (x.view(4, 6, 8, 8), classes(4, 8, 8))),
}
RIGHT = {
    "transposed": ((8, 12, 6), lambda x: (x.transpose(1, 2), classes(8, 12))),
    "flattened": ((8, 12, 6), lambda x: (x.flatten(0, 1), classes(96))),
    "channels": ((4, 6, 8, 8), lambda x: (x, classes(4, 8, 8))),
    "two groups of classes": ((8, 12, 6), lambda x: (x.view(-1, 3), classes(192, count=3))),
    "as many places as classes": ((8, 6, 6), lambda x: (x.view(8, 6, 6), classes(8, 6))),
}


@pytest.mark.parametrize("name", MIXED)
def test_a_view_that_mixes_classes_and_positions_is_told(name):
    shape, cut = MIXED[name]
    assert mixes_axes(gradient(shape, lambda x: F.cross_entropy(*cut(x)))).get()
    padded = gradient(shape, lambda x: F.cross_entropy(*cut(x), ignore_index=2))
    assert mixes_axes(padded).get()


@pytest.mark.parametrize("name", RIGHT)
def test_the_right_axes_are_left_in_peace(name):
    shape, cut = RIGHT[name]
    assert not mixes_axes(gradient(shape, lambda x: F.cross_entropy(*cut(x)))).get()


@pytest.mark.parametrize("shape", [(8, 12, 6), (4, 6, 8, 8), (5, 7)])
def test_an_error_has_no_classes_to_mix(shape):
    assert not mixes_axes(gradient(shape, lambda x: F.mse_loss(x, torch.ones(shape)))).get()
    assert not mixes_axes(torch.zeros(shape)).get()
