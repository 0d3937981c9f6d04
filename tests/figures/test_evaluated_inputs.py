"""Inputs of evaluation that are scaled otherwise than those of training are told from others."""

import pytest
import torch

from layerscope.figures.far_values import EvaluatedInputs
from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Data

PIXELS = [torch.rand(40, 12, generator=torch.Generator().manual_seed(i)).double() for i in range(8)]


def scale(trained, evaluated, resume=False):
    """What is told of four batches of each."""
    seen, data = EvaluatedInputs(), [Data(Pending.at_hand(each), False) for each in trained]
    for each in data:
        seen.see((each,), ())
    if resume:
        before, seen = seen, EvaluatedInputs()
        seen.load_state(before.state())
    return seen.see(data[:1], tuple(map(Pending.at_hand, evaluated)))


def of_some(trained, evaluated, **options):
    """Of pixels after these functions."""
    return scale(list(map(trained, PIXELS[:4])), list(map(evaluated, PIXELS[4:])), **options)


def same(x):
    return x


def normalized(x):
    return (x - 0.5) / 0.5


@pytest.mark.parametrize("resume", [False, True])
def test_a_scaling_that_only_one_of_both_has_is_told(resume):
    assert of_some(normalized, same, resume=resume) == pytest.approx(0.5, rel=0.05)
    assert of_some(same, normalized, resume=resume) == pytest.approx(2, rel=0.05)
    assert of_some(same, lambda x: 255 * x, resume=resume) == pytest.approx(255, rel=0.05)
    assert of_some(lambda x: 11 * x, same, resume=resume) == pytest.approx(1 / 11, rel=0.05)


@pytest.mark.parametrize(
    ("trained", "evaluated"),
    [
        (same, same),
        (lambda x: 9 * x, same),  # of another kind of data, it may be
        (lambda x: x + 1.5 * torch.randn(40, 12), same),  # noise leaves the mean
        (lambda x: normalized(x)[:3], lambda x: normalized(x)[:30]),
        (normalized, lambda x: normalized(x) * (torch.arange(12) < 3)),  # padded
        (normalized, lambda x: normalized(x).clamp(min=-0.3)),
        (lambda x: 0.2 * normalized(x) + 0.5, same),
        (lambda x: x[:1], lambda x: 1000 * x),  # too few values
        (same, lambda x: torch.ones(40, 12).double()),
    ],
)
def test_other_differences_between_batches_are_not(trained, evaluated):
    assert of_some(trained, evaluated) == 1


def test_one_odd_batch_or_several_first_layers_tell_nothing():
    assert scale(PIXELS[:4], [255 * PIXELS[4], PIXELS[5]]) == 1
    assert scale(PIXELS[:4], [255 * PIXELS[4]]) == 1
    assert scale(PIXELS[:1], [255 * each for each in PIXELS[4:]]) == 1
    seen = EvaluatedInputs()
    two = tuple(Data(Pending.at_hand(each), False) for each in PIXELS[:2])
    for _ in range(4):
        told = seen.see(two, tuple(Pending.at_hand(255 * each) for each in PIXELS[4:]))
    assert told == 1
