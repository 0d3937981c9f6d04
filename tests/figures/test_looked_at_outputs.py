"""The one output of each sample that a loss looks at, and targets that are the data."""

import numpy as np
import pytest

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.figures.looked_at_outputs import (
    picked_outputs,
    targets_are_inputs,
    targets_are_next,
)

VALUES = np.arange(12.0).reshape(4, 3)


def slopes(*columns):
    gradient = np.zeros((4, 3))
    gradient[np.arange(4), list(columns)] = 0.5
    return gradient


def test_the_output_that_was_picked_of_each_sample_is_a_column():
    values, gradient = picked_outputs(VALUES, slopes(0, 2, 1, 2), Loss.SQUARED_ERROR)
    assert values.tolist() == [[0], [5], [7], [11]]
    assert gradient.tolist() == [[0.5]] * 4


def test_nothing_is_picked_where_the_loss_looks_at_several_or_at_a_class():
    of_two = slopes(0, 2, 1, 2) + slopes(0, 1, 1, 2)
    assert picked_outputs(VALUES, of_two, Loss.UNKNOWN) == (None, None)
    assert picked_outputs(VALUES, slopes(0, 2, 1, 2), Loss.LOG_LIKELIHOOD) == (None, None)
    assert picked_outputs(VALUES[:, :1], np.ones((4, 1)), Loss.UNKNOWN) == (None, None)


@pytest.mark.parametrize(
    ("kind", "shift", "told"),
    [
        (Loss.SQUARED_ERROR, 0.0, 1.0),
        (Loss.SQUARED_ERROR, 0.5, 0.0),
        (Loss.CROSS_ENTROPY, 0.0, np.nan),
    ],
)
def test_targets_are_the_data_if_all_of_them_are(kind, shift, told):
    targets = VALUES.copy()
    targets[3, 1] += shift
    wide = np.zeros((4, 7))
    found = targets_are_inputs(LossView(kind, targets=targets), VALUES + 1, (wide, VALUES))
    assert found == pytest.approx(told, nan_ok=True)


@pytest.mark.parametrize(
    ("off", "others", "told"), [(0.005, 1, 2.0), (0.005, 3, 0.0), (0.02, 0, 0.0), (0.0005, 0, 1.0)]
)
def test_targets_are_nearly_the_data_if_nearly_all_samples_are(off, others, told):
    data = np.random.default_rng(0).normal(size=(20, 3))
    targets = data + off * np.sign(data)
    targets[:others] += 1.0
    view = LossView(Loss.SQUARED_ERROR, targets=targets)
    assert targets_are_inputs(view, data + 1, [data]) == told


def series(count=6, length=12, features=2):
    return np.random.default_rng(0).normal(size=(count, length + 1, features))


def is_next(given, targets, every=1, kind=Loss.SQUARED_ERROR):
    return targets_are_next(LossView(kind, targets=targets), targets + 1, given, every)


def test_targets_are_the_next_of_the_data_along_either_axis():
    x = series()
    along_rows = [each.reshape(-1, 2) for each in (x[:, :-1], x[:, 1:])]
    along_columns = [each[..., 0] for each in (x[:, :-1], x[:, 1:])]
    assert is_next(*along_rows)
    assert is_next(*along_columns)
    assert not is_next(*along_rows, every=2)
    for given, targets in (along_rows, along_columns):
        assert not is_next(given, given)
        assert not is_next(targets, given)  # those before
        assert not is_next(given, targets + 0.1)
        assert not is_next(given, targets, kind=Loss.CROSS_ENTROPY)
        assert not is_next(given[:4], targets)


def test_a_series_that_stays_as_it_is_and_short_ones_tell_nothing():
    x = np.repeat(series(length=0), 13, axis=1)
    assert not is_next(x[:, :-1, 0], x[:, 1:, 0])
    x = series(length=5)
    assert not is_next(x[:, :-1].reshape(-1, 2), x[:, 1:].reshape(-1, 2))
    assert not is_next(x[:, :-1, 0], x[:, 1:, 0])
