"""Targets of a class that the network takes no sample for are counted, look by look."""

from collections import Counter

import numpy as np
import pytest

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.figures.class_numbers import Uncalled


def looked(kind, *looks, uncalled=None):
    """The figures after these looks, each targets and outputs."""
    uncalled, seen = uncalled or Uncalled(), Counter()
    for targets, output in looks:
        targets = np.array(targets, float)[:, np.newaxis]
        seen.update(targets[:, 0].tolist())
        figures = uncalled.figures(LossView(kind, targets=targets), np.array(output, float), seen)
    return figures


def one_hot(*labels):
    return np.eye(3)[list(labels)]


def test_the_class_with_most_targets_since_it_was_called_is_told():
    looks = [([0, 1, 2, 2], one_hot(2, 0, 0, 0)), ([1, 1, 2, 0], one_hot(0, 0, 0, 0))]
    expected = {"uncalled_class": 1.0, "uncalled_targets": 3.0, "uncalled_share": 3 / 8}
    assert looked(Loss.CROSS_ENTROPY, *looks) == expected
    assert looked(Loss.CROSS_ENTROPY, *looks, ([0], one_hot(1)))["uncalled_class"] == 2
    every = looked(Loss.CROSS_ENTROPY, *looks, ([0, 1, 2], one_hot(1, 2, 0)))
    assert every == {"uncalled_targets": 0.0}


@pytest.mark.parametrize(("kind", "half"), [(Loss.BINARY, 0.5), (Loss.BINARY_LOGITS, 0.0)])
def test_one_output_is_on_a_class_s_side_of_one_half(kind, half):
    below, above = [[half - 0.1]] * 3, [[half - 0.1], [half + 0.1], [half - 0.1]]
    figures = looked(kind, ([0, 1, 1], below), ([0, 0, 0], below))
    assert figures["uncalled_class"] == 1
    assert figures["uncalled_share"] == 2 / 6
    assert looked(kind, ([0, 1, 1], below), ([0, 0, 0], above)) == {"uncalled_targets": 0.0}


def test_ones_of_several_bits_are_counted_together():
    uncalled, targets = Uncalled(), np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 0, 0.0]])
    view, none, one = LossView(Loss.BINARY_LOGITS, targets=targets), -np.ones((4, 3)), np.eye(4, 3)
    expected = {"uncalled_class": 1.0, "uncalled_targets": 3.0, "uncalled_share": 3 / 12}
    assert uncalled.figures(view, none, Counter()) == expected
    assert uncalled.figures(view, none, Counter())["uncalled_targets"] == 6
    assert uncalled.figures(view, one, Counter()) == {"uncalled_targets": 0.0}


def test_soft_targets_are_no_classes():
    assert looked(Loss.BINARY, ([0.5, 1], [[0.2], [0.3]])) == {}
    assert looked(Loss.SQUARED_ERROR, ([0, 1], [[0.2], [0.3]])) == {}


def test_what_was_counted_goes_on_from_a_checkpoint():
    first, later = Uncalled(), Uncalled()
    look = ([1, 1, 0], one_hot(0, 0, 0))
    looked(Loss.CROSS_ENTROPY, look, uncalled=first)
    later.load_state(first.state())
    assert looked(Loss.CROSS_ENTROPY, look, uncalled=later)["uncalled_targets"] == 4


def test_classes_that_never_come_are_told_once_there_were_enough_for_each():
    three = Counter({0: 100, 2: 99})
    assert "untargeted_classes" not in told([[0]], [[9.0, 0, 0, 0]], three - Counter({0: 1}))
    found = told([[0]], [[9.0, 0, 0, 0]], three + Counter({2: 1}))
    assert (found["untargeted_classes"], found["untargeted_class"]) == (2, 1)
    assert "untargeted_classes" not in told([[0]], [[0.0] * 101], Counter({0: 9999}))


@pytest.mark.parametrize(
    ("counts", "end"),
    [
        *(([100, 90, 80, 9, 0], 1), ([99, 99, 99, 99, 0, 0], 1), ([99, 99, 99, 0, 0], 0)),
        *(([0, 99, 99, 99, 99], 0), ([200, 100, 30, 99, 0], 0), ([99, 99, 99, 99, 99], 0)),
        ([99, 99, 99, 0, 99], 0),
    ],
    ids=["one", "two", "two of five", "first", "uneven", "none", "last but one"],
)
def test_a_few_classes_at_the_end_of_even_ones_are_told(counts, end):
    seen = Counter(dict(enumerate(counts)))
    assert told([[0]], [[9.0] + [0.0] * (len(counts) - 1)], seen)["untargeted_end"] == end


def told(targets, output, seen):
    view = LossView(Loss.CROSS_ENTROPY, targets=np.array(targets))
    return Uncalled().figures(view, np.array(output), seen)
