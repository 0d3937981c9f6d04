"""A warm-up that begins anew in each epoch, and rates that are meant to go up and down."""

import numpy as np
import pytest

from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.rate_shapes import begins_anew

STEPS = np.arange(120)
ANEW = 1e-7 + 0.03 * (STEPS % 14) / 200


def told(rates, steps=STEPS, cut=None):
    memory = Memory(Roles(()))
    rates = rates.astype(np.float32).astype(np.float64)  # as figures have them
    parts = [slice(None)] if cut is None else [slice(cut), slice(cut, None)]
    return np.concatenate([begins_anew(rates[part], steps[part], memory) for part in parts])


RISING = STEPS % 14 / 13  # 0 to 1
FALLS_ELSEWHERE = ANEW + 1e-5 * (STEPS // 14 == 1)  # the first time


@pytest.mark.parametrize("rates", [ANEW, 0.03 * (STEPS % 14) / 200, 0.003 + 0.03 * RISING])
def test_a_warm_up_that_begins_anew_is_told_from_the_third_time_on(rates):
    found = told(rates)
    assert not found[:42].any()
    assert found[42:].all()


def test_once_told_it_stays_so():
    rates = np.where(STEPS < 60, ANEW, 0.03)
    assert told(rates)[42:].all()


def test_it_is_followed_from_the_first_rate_that_is_known():
    rates = np.where(STEPS < 14, np.nan, ANEW)
    assert told(rates).argmax() == 56


def test_it_is_told_in_the_same_steps_wherever_the_run_is_cut():
    for cut in (1, 14, 41, 42, 43, 100):
        np.testing.assert_array_equal(told(ANEW, cut=cut), told(ANEW))


@pytest.mark.parametrize(
    "rates",
    [
        np.full(120, 0.03),
        0.03 * np.minimum(1, STEPS / 20),  # one that ends
        0.03 * np.minimum(1, (STEPS % 40) / 10),  # that ends each time
        0.015 * (1 + np.cos(np.pi * (STEPS % 14) / 14)),  # warm restarts
        0.001 + 0.03 * np.abs((STEPS + 7) % 14 - 7),  # cyclic
        0.003 + 0.024 * RISING,  # to nine times its least
        np.where(STEPS % 2, 0.03, 0.001),  # one step up, one down
        np.where(STEPS % 14, ANEW, 1e-7 * 0.5 ** (STEPS // 14)),  # ever lower
        FALLS_ELSEWHERE,
        0.03 * 0.9**STEPS,
        np.where(STEPS < 28, ANEW, 0.03),  # twice
        np.full(120, np.nan),
    ],
)
def test_a_rate_that_is_meant_to_go_up_and_down_is_none(rates):
    assert not told(rates).any()


def test_where_steps_are_left_out_nothing_is_said():
    assert not told(ANEW, 2 * STEPS).any()
