"""How much of a squared error a few targets hold, look by look."""

import numpy as np
import pytest

from layerscope.diagnose.losses.loss_kind import Loss, LossView
from layerscope.figures.target_spread import TargetTail

CHANCE = np.random.default_rng(0)


def told(targets, off=0.0, kind=Loss.SQUARED_ERROR, by_sample=True, looks=1):
    tail, targets = TargetTail(), np.reshape(targets, (-1, 1))
    for part in np.array_split(targets, looks):
        view = LossView(kind, targets=part)
        figures = tail.figures(view, part + np.resize(off, part.shape), by_sample=by_sample)
    return figures


@pytest.mark.parametrize("looks", [1, 8])
def test_the_farthest_percent_of_all_targets_so_far_is_compared_with_all(looks):
    values = np.append(np.arange(990.0) % 2, np.full(10, 20.0))
    square = np.square(values - values.mean())
    assert told(values, looks=looks)["target_tail"] == pytest.approx(
        square[-10:].sum() / square.sum()
    )
    assert told(CHANCE.normal(size=1024), looks=looks)["target_tail"] < 0.12
    assert told(np.exp(2 * CHANCE.normal(size=1024)), looks=looks)["target_tail"] > 0.5


def test_nothing_is_told_of_few_of_maps_and_of_what_is_mostly_one_number():
    values = CHANCE.normal(size=256)
    assert "target_tail" in told(values)
    assert "target_tail" not in told(values[:255])
    assert "target_tail" not in told(values, by_sample=False)
    assert "target_tail" not in told(np.maximum(values, 0.2))
    assert told(values, kind=Loss.ABSOLUTE_ERROR) == {}


def test_the_part_of_the_error_that_one_number_would_take_away():
    assert told(np.arange(8.0), off=[3.0])["error_mean"] == pytest.approx(1)
    assert told(np.arange(8.0), off=[1.0, -1.0])["error_mean"] == pytest.approx(0)
    assert told(np.arange(8.0), off=[3.0, 1.0])["error_mean"] == pytest.approx(4 / 5)
    assert "error_mean" not in told(np.arange(8.0))


def test_one_value_that_is_far_out_is_no_tail():
    values = np.append(CHANCE.normal(size=1023), 3000.0)
    assert told(values)["target_tail"] < 0.12
