"""Whether the noise that data are mixed with is the same at each step."""

import math

import pytest
import torch

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.figures.same_noise import SameNoise

NOISE = torch.randn(8, 6).double().numpy()


def clean():
    return torch.randn(8, 6).double().numpy()


def said(looks, kind=Loss.SQUARED_ERROR):
    """What is said of each look: (inputs, targets)."""
    seen = SameNoise()
    return [seen.see(LossView(kind, 1.0, y), y + 1, [x]) for x, y in looks]


def test_one_noise_between_inputs_and_targets_is_counted_look_by_look():
    pictures = [clean() for _ in range(4)]
    assert said([(x + NOISE, x) for x in pictures]) == [0, 1, 2, 3]


def test_one_noise_that_is_the_target_is_counted_too():
    assert said([(clean(), NOISE) for _ in range(4)]) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "look",
    [
        lambda: (x := clean(), x + clean()),  # drawn anew
        lambda: (NOISE, NOISE / 2),  # the data are the same as well
        lambda: (x := clean(), x),  # none
        lambda: (x := clean(), x + 1e-3 * NOISE),  # rounding
        lambda: (clean(), (NOISE > 0).astype(float)),  # labels in an order
    ],
)
def test_what_is_no_noise_or_another_is_not_counted(look):
    assert said([look() for _ in range(4)]) == [0, 0, 0, 0]


def test_one_other_look_begins_the_count_anew():
    looks = [(clean(), NOISE), (clean(), NOISE), (clean(), clean()), (clean(), NOISE)]
    assert said(looks) == [0, 1, 0, 0]


def test_of_other_losses_nothing_is_known():
    assert all(map(math.isnan, said([(clean(), NOISE)] * 2, Loss.CROSS_ENTROPY)))
