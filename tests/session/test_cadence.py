"""Which steps are due for what."""

import logging

import pytest

from layerscope.record import is_keyframe, log_spaced
from layerscope.record.search import Search
from layerscope.session.cadence import Cadence
from layerscope.session.door import Door
from layerscope.session.settings import Settings


def cadence(bytes_per_step=1000, steps=float("inf"), **settings):
    return Cadence(Settings(**settings), Door("watch", ""), bytes_per_step, steps)


def due(made, until=100):
    return [step for step in range(until) if made.is_due(step)]


def test_every_step_is_due_unless_somebody_says_otherwise():
    assert due(cadence()) == list(range(100))


def test_keyframes_are_due_beside_every_nth_step():
    assert due(cadence(every_n_steps=40)) == [
        *[0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 40, 45, 64, 80, 91]
    ]


def test_keyframes_are_due_beside_a_schedule():
    dense = log_spaced(8)
    assert due(cadence(schedule=dense), 3000) == [
        step for step in range(3000) if dense(step) or is_keyframe(step)
    ]


def test_the_budget_s_interval_thins_what_is_otherwise_due_and_no_keyframe(caplog):
    made = cadence(budget=0.05)
    made.keep_to(10, step=20)
    assert due(made) == sorted({*range(0, 100, 10), *filter(is_keyframe, range(100))})
    assert caplog.messages == [
        "watch: to keep to budget=0.05, one step in 10 is measured from step 21 on"
    ]
    made.keep_to(11, step=30)  # hardly rarer: not worth a second sentence
    assert len(caplog.messages) == 1


def test_a_run_that_fits_into_max_megabytes_is_not_thinned():
    made = cadence(bytes_per_step=1000, steps=900, max_megabytes=1)
    assert made.note == ""
    assert due(made, 900) == list(range(900))


@pytest.mark.parametrize(("steps", "whole"), [(5000, 50), (float("inf"), 600)])
def test_a_run_that_would_outgrow_max_megabytes_is_thinned_and_says_so(caplog, steps, whole):
    made = cadence(bytes_per_step=1000, steps=steps, max_megabytes=1)
    kept = due(made, 5000)
    assert len(kept) <= 1000
    assert kept[:whole] == list(range(whole))
    assert made.note.endswith("to keep to max_megabytes=1.")
    assert [(each.levelno, each.message) for each in caplog.records] == [
        (logging.WARNING, f"watch: f{made.note[1:-1]}")  # a clause, as all that is logged
    ]


@pytest.mark.parametrize(("every", "most"), [(1, 80), (1, 300), (3, 80)])
def test_steps_and_both_records_of_keyframes_fill_what_max_megabytes_has_room_for(every, most):
    steps, size = 2 * most * every, 1_000_000 // most
    made = cadence(bytes_per_step=size, steps=steps, max_megabytes=1, every_n_steps=every)
    kept = due(made, steps)
    records = len(kept) + sum(map(is_keyframe, kept)) + 1
    assert 0.7 * most <= records <= most


def test_nothing_is_thinned_where_max_megabytes_is_no_bound():
    assert due(cadence(max_megabytes=float("inf")), 5000) == list(range(5000))


def test_a_run_of_unknown_length_that_ends_in_time_hears_nothing_of_max_megabytes(caplog):
    made = cadence(bytes_per_step=1000, max_megabytes=1)
    assert due(made, 600) == list(range(600))
    assert not caplog.records


def test_updates_are_due_every_so_often_and_at_keyframes():
    made = cadence(updates_every_n_steps=30)
    assert [step for step in range(100) if made.update_is_due(step)] == [
        *[0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 30, 32, 45, 60, 64, 90, 91]
    ]
    never = cadence(updates_every_n_steps=0)
    assert not any(never.update_is_due(step) for step in range(100))


def test_all_modules_are_searched_in_the_first_keyframes_and_at_powers_of_four():
    made = cadence()
    by = {each: [step for step in range(1100) if made.search(step) is each] for each in Search}
    assert by[Search.ALL] == [0, 1, 2, 3, 4, 6, 16, 64, 256, 1024]
    assert by[Search.CALLED] == [8, 11, 23, 32, 45, 91, 128, 181, 362, 512, 724]


def test_weights_are_due_at_keyframes_and_wherever_a_quantity_needs_them():
    keyframes = list(filter(is_keyframe, range(60)))

    def weights(**settings):
        made = cadence(**settings)
        return [step for step in range(60) if made.weights_are_due(step)]

    assert weights() == keyframes
    assert weights(quantities=["weight"]) == list(range(60))
    assert weights(quantities=["update"], updates_every_n_steps=20) == sorted({*keyframes, 20, 40})


def test_scalars_are_due_at_every_nth_step():
    made = cadence(scalars_every_n_steps=25)
    assert [step for step in range(100) if made.scalars_are_due(step)] == [0, 25, 50, 75]
