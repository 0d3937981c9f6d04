"""What a cross-entropy divides the outputs by is read off its gradient on them."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose.losses.loss_kind import Loss
from tests.diagnose.losses.test_loss_view import CLASSES, LABELS, N, seen

TWO = torch.arange(N) % 2


@pytest.mark.parametrize("temperature", [0.05, 0.5, 2.0, 100.0])
@pytest.mark.parametrize("scale", [0.05, 1.0])
def test_the_temperature_of_several_classes_is_told(temperature, scale):
    view = seen(lambda z: F.cross_entropy(z / temperature, LABELS), scale=scale)
    assert view.kind is Loss.CROSS_ENTROPY
    assert view.temperature == pytest.approx(temperature, rel=1e-2)
    assert set(view.targets[:, 0]) <= set(LABELS.tolist())


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_a_high_one_of_two_classes_is_told_by_the_loss_value(scale):
    view = seen(lambda z: F.cross_entropy(z / 50, TWO), shape=(N, 2), scale=scale)
    assert view.temperature == pytest.approx(50, rel=1e-2)
    assert view.targets[:, 0].tolist() == TWO.tolist()


def test_no_temperature_is_one_and_other_losses_have_none():
    soft = torch.randn(N, CLASSES, generator=torch.Generator().manual_seed(1)).softmax(1)
    returns = torch.linspace(0.1, 1, N)
    assert seen(lambda z: F.cross_entropy(z, LABELS)).temperature == 1
    for loss_of, shape in (
        (lambda z: F.cross_entropy(z / 50, soft), (N, CLASSES)),
        (lambda z: F.cross_entropy(z / 50, LABELS, label_smoothing=0.2), (N, CLASSES)),
        (lambda z: F.multi_margin_loss(z, LABELS), (N, CLASSES)),
        (lambda z: 0.02 * F.cross_entropy(z, TWO), (N, 2)),
        (lambda z: (returns * F.cross_entropy(z / 50, TWO, reduction="none")).mean(), (N, 2)),
    ):
        assert seen(loss_of, shape=shape).temperature == 1
