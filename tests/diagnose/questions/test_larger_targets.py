"""An error may be larger where the task's own targets are, and only there."""

import numpy as np
import pytest

from layerscope.diagnose import Judge
from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.larger_targets import growth_of_an_error, largest_targets
from tests.diagnose.measured.test_loss_curve import figures
from tests.diagnose.test_rules import healthy, network, part_until

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


@pytest.mark.parametrize(("later", "since"), [(20.0, None), (2.0, 31)])
def test_an_error_that_has_grown_waits_for_a_look_at_its_targets(later, since):
    made = healthy(network(), 60)
    made["loss"][:] = 0.3
    made["loss"][31:40] = 3.0  # ten times, until the look that tells of the targets, and after
    made["loss_kind"][::10], made["output_rms"][::10] = Loss.SQUARED_ERROR, 0.1
    made["target_rms"][::10], made["target_rms"][40:] = 2.0, later
    made["loss"][40:45] = 3.0
    made["target_min"][::10], made["target_max"][::10] = -2.0, 2.0
    made["loss_kind"][40:], made["output_rms"][40:] = Loss.SQUARED_ERROR, 0.1
    made["target_min"][40:], made["target_max"][40:] = -later, later
    judge = Judge(made.layers)
    judge.look(part_until(made, 40))
    assert not [each for each in judge.findings if each.rule == "loss_diverged"]
    judge = Judge(made.layers)
    judge.look(made)
    told = [each.step for each in judge.findings if each.rule == "loss_diverged"]
    assert told == ([] if since is None else [since])


@pytest.mark.parametrize(("grown", "words"), [(4.0, "Q(next); else check"), (2.0, "and check")])
def test_where_a_network_may_have_a_part_in_its_targets_the_sign_comes_last(grown, words):
    made = healthy(network(), 60)
    made["loss"][30:] = 100.0
    made["loss_kind"][::5], made["output_rms"][::5] = Loss.SQUARED_ERROR, 3.0
    made["target_rms"][::5] = 2.0
    made["target_rms"][30::5] = grown
    judge = Judge(made.layers)
    judge.look(made)
    (told,) = [each for each in judge.findings if each.rule == "loss_diverged"]
    assert words in told.remedy
