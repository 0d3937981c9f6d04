"""An error may be larger where the task's own targets are, and only there."""

import numpy as np
import pytest

from layerscope.diagnose.larger_targets import growth_of_an_error, largest_targets
from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.roles import Roles
from tests.diagnose.test_loss_curve import figures

STEPS = 20


def seen(sizes, outputs, kind=Loss.SQUARED_ERROR):
    made = figures(np.ones(STEPS))
    made["loss_kind"][:] = kind
    made["target_rms"][:] = sizes
    made["output_rms"][:] = outputs
    made["target_min"][:], made["target_max"][:] = -np.asarray(sizes), sizes
    return made


def ten_times_from(step):
    return np.where(np.arange(STEPS) < step, 1.0, 10.0)


@pytest.mark.parametrize(
    ("kind", "times"), [(Loss.SQUARED_ERROR, 100), (Loss.ABSOLUTE_ERROR, 10), (Loss.BINARY, 1)]
)
def test_an_error_grows_with_the_targets_of_a_next_task(kind, times):
    growth = growth_of_an_error(seen(ten_times_from(10), 0.1, kind), Memory(Roles([])))
    assert growth.tolist() == [1.0] * 10 + [times] * 10


def test_targets_that_grow_with_the_outputs_are_the_networks_own():
    sizes = ten_times_from(10)
    growth = growth_of_an_error(seen(sizes, 0.9 * sizes), Memory(Roles([])))
    assert (growth == 1).all()


def test_the_largest_targets_of_the_start_are_its_measure():
    sizes = np.where(np.arange(STEPS) == 3, 5.0, ten_times_from(10))
    growth = growth_of_an_error(seen(sizes, 0.1), Memory(Roles([])))
    assert growth[-1] == 4.0


def test_the_largest_targets_are_kept_between_looks():
    sizes = np.where(np.arange(STEPS) == 4, 3.0, np.nan)
    largest = largest_targets(seen(sizes, 0.1), Memory(Roles([])))
    np.testing.assert_array_equal(largest, [np.nan] * 4 + [3.0] * 16)


def test_one_row_in_other_units_is_no_task():
    sizes = ten_times_from(12)
    few = seen(sizes, 0.1)
    few["target_max"][:] = 5 * sizes
    assert (growth_of_an_error(few, Memory(Roles([]))) == 1).all()
