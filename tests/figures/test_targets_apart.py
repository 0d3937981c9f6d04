"""Do samples differ in their targets, and is a column of the data the targets themselves?"""

import math

import numpy as np
import pytest

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.figures.looked_at_outputs import critic_slope, target_column
from layerscope.figures.target_spread import TargetsApart

CHANCE = np.random.default_rng(0)


def view(targets, kind=Loss.SQUARED_ERROR, **about):
    return LossView(kind, targets=np.asarray(targets, float), **about)


def test_targets_are_compared_output_by_output_with_all_that_came_before():
    apart, two = TargetsApart(), np.full((2, 2), 0.3)
    assert apart.see(view([[1, 5], [1, 5]]), two) == 0
    assert math.isnan(apart.see(view([[9, 9]], Loss.CROSS_ENTROPY), two[:1]))
    assert apart.see(view([[1, 5], [1, 7]]), two) == 2
    assert apart.see(view([[2, 6]], Loss.BINARY), two[:1]) == 2
    assert apart.see(view([[2.0]]), two[:1, :1]) == math.inf


@pytest.mark.parametrize(("far", "apart"), [(1.0, 0.0), (5.0, 1.2), (-3.0, 1.3)])
def test_errors_that_a_huber_loss_cuts_off_tell_no_more_than_that_targets_are_beyond(far, apart):
    values = np.array([[2.3], [0.7], [-0.2], [0.9], [1.2], [0.7]])
    targets = np.array([[1.0], [1.0], [1.0], [1.0], [far], [far]])
    as_told = values - np.clip(values - targets, -1, 1)
    assert TargetsApart().see(view(as_told), values) == pytest.approx(apart)
    # One error is larger, so this is none; and a probability of 1 may be as wrong as can be.
    assert TargetsApart().see(view([[1.0], [2.0]]), np.zeros((2, 1))) == 1
    assert TargetsApart().see(view([[0.0], [0.0], [1.0]], Loss.BINARY), np.ones((3, 1))) == 1
    # Of some samples it is not known.
    assert TargetsApart().see(view([[0.0], [1.0]], Loss.BINARY), np.ones((5, 1))) == 1


@pytest.mark.parametrize("kind", [Loss.SQUARED_ERROR, Loss.CROSS_ENTROPY, Loss.BINARY_LOGITS])
def test_the_column_that_is_the_target_is_found(kind):
    data = CHANCE.normal(size=(32, 4))
    targets = data[:, 2:3].copy() if kind is Loss.SQUARED_ERROR else np.arange(32)[:, None] % 2
    data[:, 2:3] = targets
    assert target_column(view(targets, kind), [data]) == 2
    twice = 0 if kind is not Loss.SQUARED_ERROR else -1  # a task of one number
    assert target_column(view(targets, kind), [data[:, [2, 2, 0]]]) == twice
    data[0, 2] += 0.01
    assert target_column(view(targets, kind), [data]) == -1


def test_columns_that_give_the_class_away_are_found_scaled_and_one_for_each_class():
    data, labels = CHANCE.normal(size=(33, 4)), np.arange(33)[:, None] % 3
    classes = view(labels, Loss.CROSS_ENTROPY)
    each = (labels == np.arange(3)).astype(float)
    assert target_column(classes, [np.hstack([data, (labels - 0.99) / 0.83])]) == 4
    assert target_column(classes, [np.hstack([data[:, :1], each, data])]) == 1
    assert target_column(classes, [np.hstack([data, each[:, :2]])]) == 4  # the third is the rest
    assert target_column(classes, [np.hstack([data, each[:, :1]])]) == -1  # a kind of several
    assert target_column(classes, [each[:, [2, 0, 1]]]) == -1  # a table of one row for each class
    rare = view(
        np.where(np.arange(33)[:, None] < 17, 0, np.arange(33)[:, None]), Loss.CROSS_ENTROPY
    )
    assert target_column(rare, [np.hstack([data, rare.targets])]) == 4
    assert target_column(rare, [np.hstack([data, 2 * rare.targets])]) == -1  # of one of a kind


def test_nothing_is_told_of_one_column_of_few_samples_and_of_a_rare_class():
    data = CHANCE.normal(size=(32, 4))
    targets = data[:, 2:3]
    assert target_column(view(targets), [targets]) == -1
    assert target_column(view(targets), [data[:16]]) == -1
    assert target_column(view(targets[:8]), [data[:8]]) == 2
    for unknown in (
        view(targets[:7]),
        view(data[:, 2:]),
        view(targets, Loss.ABSOLUTE_ERROR),
        view(targets, broadcast=True),
        view(np.arange(32)[:, None] < 7, Loss.BINARY),
    ):
        assert math.isnan(target_column(unknown, [data]))
    assert target_column(view(np.arange(32)[:, None] < 8, Loss.BINARY), [data]) == -1


def test_scores_that_count_alike_beside_others_spread_as_far_as_a_critic_is_steep():
    data = CHANCE.normal(size=(64, 3))
    scores, alike = 5 * data[:, :1], np.full((64, 1), -1 / 64)
    assert critic_slope(scores, alike, 2.0, [data]) == pytest.approx(5 / 3**0.5, rel=0.2)
    assert math.isnan(critic_slope(scores, alike, -float(scores.mean()), [data]))  # its own loss
    assert math.isnan(critic_slope(scores, alike * np.linspace(1, 1.1, 64)[:, None], 2.0, [data]))
    assert math.isnan(critic_slope(scores, 0 * alike, 2.0, [data]))
    assert math.isnan(critic_slope(scores, alike, 2.0, []))
