"""A rate that rises by a factor and falls back at once is a search; no warm-up or mistake is."""

import numpy as np
import pytest

from layerscope.diagnose.measured.rate_search import AFTER, RateSearch
from tests.diagnose.test_rules import healthy, network, rules_and_words

STEPS, LENGTH = 200, 60


def found(rates, cut=None):
    search, steps = RateSearch(), np.arange(len(rates))
    parts = [slice(None)] if cut is None else [slice(cut), slice(cut, None)]
    over = []
    for part in parts:
        later = RateSearch()
        later.load_state(search.state())
        search = later
        over += search.follow(steps[part], np.float32(rates)[part]).tolist()
    return [int(step) for step in np.flatnonzero(over)], search.around(40, LENGTH)


def searched(low=1e-5, high=1.0, then=1e-2):
    return np.concatenate([np.geomspace(low, high, LENGTH), np.full(STEPS - LENGTH, then)])


@pytest.mark.parametrize("high", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("cut", [None, 1, 30, LENGTH - 1, LENGTH, LENGTH + 1])
def test_a_rise_by_a_factor_and_a_fall_are_a_search_wherever_the_run_is_cut(high, cut):
    assert found(searched(high=high), cut) == ([LENGTH], (0, LENGTH - 1))


def test_rates_that_are_not_known_are_passed_over():
    rates = searched()
    rates[70::3] = np.nan
    assert found(rates) == ([LENGTH], (0, LENGTH - 1))


@pytest.mark.parametrize(
    "rates",
    [
        pytest.param(searched(then=1.0), id="a warm-up by a factor"),
        pytest.param(searched(then=0.5), id="and half of it"),
        pytest.param(searched(low=0.05), id="a rise by twenty"),
        pytest.param(np.geomspace(1e-5, 1.0, STEPS), id="a mistake that goes on"),
        pytest.param(
            np.append(np.linspace(1e-3, 1, 100), np.full(100, 0.01)), id="a linear warm-up"
        ),
        pytest.param(np.tile(np.geomspace(1e-5, 1, 10), 20), id="a short one again and again"),
        pytest.param(0.5 - 0.5 * np.cos(np.pi * np.arange(STEPS) / 50), id="cosine cycles"),
        pytest.param(np.full(STEPS, np.nan), id="none known"),
    ],
)
def test_other_schedules_are_no_search(rates):
    assert found(rates) == ([], None)


def run(rates, loss):
    figures = healthy(network(), STEPS)
    figures["learning_rate"][:], figures["loss"][:] = rates, loss
    return rules_and_words(figures)


def up_and_then(rest):
    loss = np.full(STEPS, 2.0)
    loss[40:LENGTH] = np.geomspace(3, 300, LENGTH - 40)
    loss[LENGTH:] = rest
    return loss


FALLS, STAYS = np.geomspace(2, 0.2, STEPS - LENGTH), 50.0


def test_what_a_search_throws_up_is_a_note_that_says_so_and_else_it_is_not():
    told = run(searched(), up_and_then(FALLS))["loss_diverged"]
    assert told.severity == "note"
    assert "a search for the best one" in told.explanation
    assert "loaded again" in told.remedy
    assert run(searched(), up_and_then(STAYS))["loss_diverged"].severity == "critical"
    assert run(searched(then=1.0), up_and_then(FALLS))["loss_diverged"].severity == "critical"
    assert run(0.01, up_and_then(FALLS))["loss_diverged"].severity == "critical"


def test_a_search_begins_the_lowest_loss_anew():
    loss = np.concatenate([np.geomspace(2, 0.1, 40), np.full(20, 0.1), np.full(140, 2.0)])
    assert "loss_diverged" not in run(searched(), loss)
    assert run(0.01, loss)["loss_diverged"].severity == "warning"


def test_the_windows_after_it_are_within():
    search = RateSearch()
    search.follow(np.arange(STEPS), searched())
    assert search.around(LENGTH - 1, LENGTH - 1 + AFTER) == (0, LENGTH - 1)
    assert search.around(LENGTH - 1, LENGTH + AFTER) is None
