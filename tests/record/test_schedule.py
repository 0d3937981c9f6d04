import pytest

from layerscope.record import every_n_steps, is_keyframe
from layerscope.record.schedule import KEYFRAMES


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
