"""What is told of a loss's targets: of classes, of bits and of numbers."""

import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.figures.targets import target_figures

THREE = np.array([[2], [0], [2], [2]])


def figures(kind, targets, outputs=3, seen=None, alone=True, by_sample=True, samples=None, **told):
    samples = samples or (0 if targets is None else len(targets))
    output = SimpleNamespace(alone=alone, by_sample=by_sample, samples=samples)
    values = np.zeros((len(targets), outputs))
    view = LossView(kind, targets=None if targets is None else np.asarray(targets), **told)
    return target_figures(view, output, values, Counter() if seen is None else seen)


@pytest.mark.parametrize(
    "kind", [Loss.CROSS_ENTROPY, Loss.LOG_LIKELIHOOD, Loss.LOG_OF_OUTPUT, Loss.LOG_OF_SHARE]
)
def test_labels_are_counted_in_the_step_and_over_all(kind):
    seen = Counter({0: 2})
    found = figures(kind, THREE, seen=seen)
    assert seen == {0: 3, 2: 3}
    assert (found["labels_seen"], found["label"], found["label_share"]) == (2, 2, 0.75)
    assert found["label_entropy"] == pytest.approx(math.log(2))
    assert found["batch_entropy"] == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert found["loss_floor"] == 0
    assert "target_min" not in found


@pytest.mark.parametrize(
    ("seen", "now", "share"),
    [
        ({}, [0, 1], math.nan),
        ({0: 50, 1: 50}, [0, 1], 0.0),
        ({0: 50, 1: 50}, [2, 3, 2, 1], 0.75),
        ({0: 4, 1: 4}, [2, 3, 2, 2], 0.0),  # nobody knows yet
        ({0: 20, 1: 20}, [2, 3, 2, 2], 1.0),
        (dict.fromkeys(range(60), 1), [71, 72, 73, 1], 0.0),  # of a thousand, say
        ({0: 500, 1: 500}, [0] * 19 + [2], 0.0),
        ({0: 500, 1: 500}, [0] * 17 + [2] * 3, 0.15),
    ],
)
def test_classes_are_new_where_more_come_than_by_chance(seen, now, share):
    found = figures(Loss.CROSS_ENTROPY, [[each] for each in now], outputs=80, seen=Counter(seen))
    assert found["labels_new"] == pytest.approx(share, nan_ok=True)


def test_a_smoothed_loss_has_a_floor_and_rows_that_are_no_samples_no_entropy_of_the_batch():
    found = figures(Loss.CROSS_ENTROPY, THREE, smoothing=0.3, by_sample=False)
    assert found["loss_floor"] == pytest.approx(-0.8 * math.log(0.8) - 0.2 * math.log(0.1))
    assert math.isnan(found["batch_entropy"])


@pytest.mark.parametrize(("rows", "told"), [(8, True), (9, False)])
def test_a_loss_of_less_than_half_of_the_samples_says_nothing_of_the_batchs_variety(rows, told):
    output = SimpleNamespace(alone=True, by_sample=True, samples=rows)
    view = LossView(Loss.CROSS_ENTROPY, targets=np.array(THREE))
    found = target_figures(view, output, np.zeros((rows, 3)), Counter())
    assert np.isfinite(found["batch_entropy"]) == told


@pytest.mark.parametrize("kind", [Loss.BINARY, Loss.BINARY_LOGITS])
def test_bits_of_one_output_are_labels_too_and_those_of_several_are_numbers(kind):
    one = figures(kind, [[1.0], [0.0], [1.0], [1.0]], outputs=1)
    assert (one["label"], one["label_share"]) == (1, 0.75)
    assert (one["target_min"], one["target_max"]) == (0, 1)
    assert one["target_fraction"] == 0
    assert math.isnan(figures(kind, [[1.0]], outputs=1, samples=2)["target_fraction"])
    two = figures(kind, [[1.0, 0.0], [1.0, 1.0]], outputs=2)
    assert "label" not in two
    assert two["target_sum"] == 0.5  # away from 1
    assert two["target_std"] == pytest.approx(math.sqrt(3) / 4)
    assert two["target_rms"] == pytest.approx(math.sqrt(3) / 2)


def test_weighted_bits_lie_between_0_and_1_and_at_no_entropy():
    weights = np.array([[5.0], [1.0], [5.0], [5.0]])
    found = figures(Loss.BINARY, [[1.0], [0.0], [1.0], [1.0]], outputs=1, weights=weights)
    assert math.isnan(found["label_entropy"])
    assert (found["target_min"], found["target_max"]) == (0, 1)
    assert "target_rms" not in found
    assert found["weighted_samples"] == 0.75


def test_weights_of_several_bits_are_told_by_the_step_alone():
    bits, weights = [[1.0, 0.0], [0.0, 1.0]], np.array([[9.0, 1.0], [1.0, 9.0]])
    found = figures(Loss.BINARY, bits, outputs=2, seen=Counter({1: 98}), weights=weights)
    assert found["weighted_samples"] == 0.5
    labelled = figures(Loss.CROSS_ENTROPY, [[0], [1]], 2, Counter({1: 98}), weights=weights[0])
    assert labelled["weighted_samples"] == 0.99


def test_targets_of_an_error_are_numbers_and_of_percentages_what_counts_are_zeros():
    found = figures(Loss.SQUARED_ERROR, [[3.0], [-4.0]], outputs=1)
    assert (found["target_min"], found["target_max"], found["target_sum"]) == (-4, 3, 3.5)
    assert found["target_rms"] == pytest.approx(math.sqrt(12.5))
    assert set(figures(Loss.PERCENTAGE_ERROR, [[1.0], [2.0]], outputs=1)) == {"target_zeros"}


def test_without_targets_or_with_another_output_beside_there_is_nothing_to_tell():
    assert figures(Loss.CROSS_ENTROPY, np.zeros((0, 1))) == {}
    seen = Counter()
    assert figures(Loss.CROSS_ENTROPY, THREE, seen=seen, alone=False) == {}
    assert not seen
    weights = np.array([9.0, 1.0, 9.0, 9.0])
    assert figures(Loss.CROSS_ENTROPY, THREE, alone=False, weights=weights) == {}


@pytest.mark.parametrize(
    ("signs", "alone", "told"), [(1.0, False, False), (1.0, True, True), ([-1, 1], False, True)]
)
def test_a_mean_of_outputs_in_a_sum_of_several_has_no_targets(signs, alone, told):
    targets = 50 * np.broadcast_to(np.array(signs, float), 2)[:, np.newaxis]
    found = figures(Loss.ABSOLUTE_ERROR, targets, outputs=1, alone=alone)
    assert ("target_rms" in found) == told


@pytest.mark.parametrize(
    ("outputs", "error", "known"),
    [(1.0, 300.0, True), (300.0, 1.0, True), (300.0, 290.0, False), (1.0, 0.9, False)],
)
def test_the_size_of_an_absolute_errors_targets_is_known_where_the_output_is_not_as_far_off(
    outputs, error, known
):
    """A network that was thrown out gives 300 for targets of 1: the error is its own."""
    sides = np.where(np.arange(64) % 2, 1.0, -1.0)[:, np.newaxis]
    values = outputs * np.linspace(0.2, 1.8, 64)[:, np.newaxis] * sides
    view = LossView(Loss.ABSOLUTE_ERROR, 1.0, values - error * sides)
    output = SimpleNamespace(alone=True, by_sample=True)
    size = target_figures(view, output, values, Counter())["target_rms"]
    assert math.isnan(size) != known


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("kind", [Loss.ABSOLUTE_ERROR, Loss.SQUARED_ERROR])
def test_targets_of_some_samples_have_a_size_too(kind, alone):
    """A loss may leave some out, and of a broadcast one two targets stand for all."""
    output = SimpleNamespace(alone=alone, by_sample=True)
    view = LossView(kind, 1.0, np.array([[3.0], [3.0]]))
    assert target_figures(view, output, np.zeros((4, 1)), Counter())["target_rms"] == 3
