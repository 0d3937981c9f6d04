from itertools import pairwise

import pytest

from layerscope.record import every_n_steps, is_keyframe, log_spaced
from layerscope.record.schedule import KEYFRAMES, thinned_to


def test_every_n_steps_begins_with_the_initialisation():
    assert [step for step in range(10) if every_n_steps(3)(step)] == [0, 3, 6, 9]


def test_every_n_steps_refuses_less_than_one():
    with pytest.raises(ValueError, match="every_n_steps must be at least 1, got 0"):
        every_n_steps(0)


def test_keyframes_are_two_an_octave():
    assert [step for step in range(100) if is_keyframe(step)] == [
        *[0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91]
    ]


def test_there_are_at_most_fifty_keyframes_however_long_the_run():
    candidates = {0, 1, *(round(2 ** (half / 2)) for half in range(120))}
    keyframes = sorted(step for step in candidates if is_keyframe(step))
    assert len(keyframes) == KEYFRAMES
    assert keyframes[-1] == 23_726_566


def test_log_spaced_with_two_an_octave_begins_with_the_keyframes():
    due = log_spaced(2)
    assert [step for step in range(3000) if due(step)] == [
        step for step in range(3000) if is_keyframe(step)
    ]


def test_log_spaced_is_as_dense_in_every_octave():
    due = log_spaced(8)
    for octave in range(6, 14):
        assert sum(due(step) for step in range(2**octave, 2 ** (octave + 1))) == 8


def test_log_spaced_refuses_less_than_one():
    with pytest.raises(ValueError, match="per_octave must be at least 1, got 0"):
        log_spaced(0)


@pytest.mark.parametrize(("most", "steps"), [(20, 1000), (100, 1000), (999, 1000), (50, 70_000)])
def test_a_thinned_schedule_keeps_to_its_number_and_thins_later_steps_first(most, steps):
    first, due = thinned_to(most, steps)
    kept = [step for step in range(steps) if due(step)]
    assert most * 0.55 <= len(kept) <= most
    assert kept[:first] == list(range(first))
    gaps = [b - a for a, b in pairwise(kept)]
    assert gaps == sorted(gaps)


def test_the_powers_of_two_stay_however_small_the_number():
    _, due = thinned_to(1, 1000)
    assert [step for step in range(1000) if due(step)] == [0, 1, *(2**k for k in range(1, 10))]


def test_a_run_that_fits_is_not_thinned():
    first, due = thinned_to(1000, 1000)
    assert first == 1000
    assert all(due(step) for step in range(1000))


def test_a_run_without_an_end_is_thinned_too():
    first, due = thinned_to(1000, float("inf"))
    assert first >= 650
    assert sum(due(step) for step in range(1_000_000)) <= 1000
    assert all(due(step) for step in range(first))


def test_thinning_to_nothing_is_refused():
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        thinned_to(0, 10)
