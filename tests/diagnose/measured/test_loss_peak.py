"""Single losses of few samples are no throw; means of enough of them are."""

import numpy as np
import pytest

from layerscope.diagnose.measured.loss_peak import LossPeak

UNKNOWN = np.full(1, np.nan)


def peak(losses, samples):
    made = LossPeak()
    made.follow(np.array(losses), np.array([float(samples)]))
    return made


def test_a_single_sample_of_three_times_the_loss_is_noise_and_a_batch_is_not():
    losses = [2.0] * 20 + [6.5] + [2.0] * 20
    assert peak(losses, 32).is_beyond(3.0)
    assert not peak(losses, 1).is_beyond(1.5)


@pytest.mark.parametrize("samples", [1, 2, 4, 8, 64])
def test_losses_that_stay_up_are_thrown_whatever_the_batch(samples):
    assert peak([2.0] * 20 + [9.0] * 10, samples).is_beyond(3.0)


def test_a_size_that_is_not_known_is_large_enough_and_one_that_was_known_stays():
    assert peak([2.0] * 9 + [9.0], np.nan).is_beyond(3.0)
    made = peak([2.0] * 9, 1)
    made.follow(np.array([9.0]), UNKNOWN)
    assert not made.is_beyond(3.0)
    made.follow(np.full(7, 9.0), UNKNOWN)
    assert made.is_beyond(3.0)


def test_nothing_is_beyond_nothing_and_a_checkpoint_goes_on():
    assert not LossPeak().is_beyond(0.0)
    made, later = peak([2.0] * 20 + [9.0] * 5, 1), LossPeak()
    later.load_state(made.state())
    for each in (made, later):
        each.follow(np.full(3, 9.0), UNKNOWN)
    assert later.is_beyond(4.4)
    assert later.state() == made.state()
