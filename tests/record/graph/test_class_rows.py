"""Whether a gradient is that of one class of those along an axis."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.class_rows import is_of_one_class


def slope_of(loss_of, rows=32, classes=5):
    torch.manual_seed(0)
    output = torch.randn(rows, classes, requires_grad=True)
    loss_of(output, torch.arange(rows) % classes).backward()
    return output.grad.double().numpy()


OF_ONE = {
    "cross-entropy": F.cross_entropy,
    "minus it": lambda z, y: -F.cross_entropy(z, y),
    "of some": lambda z, y: F.cross_entropy(z, y, ignore_index=1),
    "likelihood": lambda z, y: F.nll_loss(z, y),
    "focal": lambda z, y: ((1 - z.softmax(1)).square() * -z.log_softmax(1))[
        torch.arange(32), y
    ].mean(),
}
OTHERS = {
    "two classes in a sample": lambda z, y: F.cross_entropy(z, y) + F.cross_entropy(z, (y + 1) % 5),
    "an error": lambda z, y: F.mse_loss(z, y[:, None].float().expand_as(z)),
    "chosen values": lambda z, y: z.gather(1, y[:, None]).square().mean(),
    "their mean": lambda z, y: z.mean(),
    "spread": lambda z, y: z.var(1).mean(),
    "along the samples": lambda z, y: F.cross_entropy(z.T, y[:5]),
}


@pytest.mark.parametrize("name", OF_ONE)
def test_a_loss_of_one_class_is_told_along_the_classes(name):
    assert is_of_one_class(slope_of(OF_ONE[name]))
    assert not is_of_one_class(slope_of(OF_ONE[name]).T)


@pytest.mark.parametrize("name", OTHERS)
def test_any_other_loss_is_none(name):
    assert not is_of_one_class(slope_of(OTHERS[name]))


def test_one_number_a_row_is_no_class():
    assert not is_of_one_class(slope_of(OF_ONE["cross-entropy"])[:, :1])
    assert not is_of_one_class(0 * slope_of(OF_ONE["cross-entropy"]))
