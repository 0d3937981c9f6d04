"""Whether a loss falls on, and as fast as it did."""

import numpy as np

from layerscope.diagnose.measured.loss_curve import LossCurve
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.pace import falls_on, keeps_pace
from tests.diagnose.measured.test_loss_curve import figures

STEPS, LEAST = 300, 80
EVENLY = 4 - 0.001 * np.arange(STEPS)
TO_AN_END = 3.6 + 0.4 * np.exp(-np.arange(STEPS) / 90)


def judged(function, losses):
    return function(LossCurve().of(figures(losses)), LEAST, Memory(Roles([])))


def test_a_loss_that_falls_evenly_keeps_its_pace():
    assert judged(keeps_pace, EVENLY)[LEAST + 20 :].all()


def test_one_that_comes_to_its_end_falls_on_and_does_not_keep_its_pace():
    assert judged(falls_on, TO_AN_END)[-1]
    assert not judged(keeps_pace, TO_AN_END)[-1]


def test_nothing_is_known_before_there_are_enough_losses():
    assert not judged(keeps_pace, EVENLY[: LEAST - 1]).any()
