"""A rate that is multiplied by a power of a factor at each epoch, and schedules that are meant."""

import numpy as np
import pytest

from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.rate_shapes import compounds

EPOCHS = np.arange(400) // 20


def told(rates, cut=None):
    memory = Memory(Roles(()))
    parts = [rates] if cut is None else [rates[:cut], rates[cut:]]
    # As figures have them.
    return np.concatenate(
        [compounds(part.astype(np.float32).astype(np.float64), memory) for part in parts]
    )


def upon_the_last(factor, first=0.03, begins=0):
    """lr *= factor ** epoch, of epochs that are counted from `begins`."""
    return first * factor ** np.cumsum(np.arange(20) + begins)[EPOCHS]


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("begins", [0, 1])
def test_a_power_upon_the_rate_of_the_last_epoch_compounds_from_its_fifth_change_on(factor, begins):
    found = told(upon_the_last(factor, begins=begins))
    assert not found[:100].any()
    assert found[100:].all()


def test_steps_whose_rate_is_not_known_are_passed_over():
    rates = upon_the_last(0.9)
    rates[1::2] = np.nan
    np.testing.assert_array_equal(told(rates), told(upon_the_last(0.9)))


def test_it_is_told_in_the_same_steps_wherever_the_run_is_cut():
    rates = upon_the_last(0.9)
    for cut in (1, 50, 99, 100, 101, 300):
        np.testing.assert_array_equal(told(rates, cut), told(rates))


STEPS = np.arange(400)


@pytest.mark.parametrize(
    "rates",
    [
        pytest.param(0.1 * 0.9**EPOCHS, id="steps"),
        pytest.param(0.1 * 0.999**STEPS, id="exponential"),
        pytest.param(0.1 * 0.5 * (1 + np.cos(np.pi * STEPS / 400)), id="cosine"),
        pytest.param(0.1 * 0.5 * (1 + np.cos(np.pi * EPOCHS / 20)), id="cosine of epochs"),
        pytest.param(0.1 * (1 - STEPS / 401) ** 0.9, id="polynomial"),
        pytest.param(0.1 / (1 + 0.01 * STEPS), id="inverse"),
        pytest.param(0.1 / np.sqrt(1 + EPOCHS), id="root"),
        pytest.param(0.1 * np.minimum((STEPS + 1) / 40, 1) * 0.9**EPOCHS, id="warm-up"),
        pytest.param(np.full(400, 0.1), id="constant"),
        pytest.param(np.full(400, np.nan), id="unknown"),
        pytest.param(0.1 * np.exp(-((STEPS / 200.0) ** 2)), id="bell"),
        pytest.param(0.1 * 0.5**EPOCHS, id="halves"),  # to the last bit the same each time
        pytest.param(0.1 * 0.99 ** np.cumsum([0, 1, *range(2, 38, 2)])[EPOCHS], id="even powers"),
        pytest.param(np.where(EPOCHS == 1, 0.05, upon_the_last(0.9)), id="once otherwise"),
    ],
)
def test_usual_schedules_do_not(rates):
    assert not told(rates).any()
