"""Is it told of a column that has one value far from all others, as -999 for what is not known?"""

import pytest
import torch

from layerscope.figures.far_values import FarValues
from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Data


def seen(*batches, **about):
    far = FarValues()
    of = ({"rows": len(each)} | about for each in batches)
    data = (Data(Pending.at_hand(each), False, **it) for each, it in zip(batches, of, strict=True))
    return [far.see([each]) for each in data]


def drawn(value=-20.0, places=(1, 4, 9), samples=24, seed=0):
    """Columns of 0 to 1, in the second of which these samples have a value."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(samples, 3, generator=generator, dtype=torch.float64)
    x[list(places), 1] = value
    return x


@pytest.mark.parametrize("value", [-20.0, 20.0])
def test_the_column_the_value_and_how_far_it_lies_are_told(value):
    x = drawn(value)
    (told,) = seen(x)
    others = x[:, 1][x[:, 1] != value]
    gap = min(abs(others.min() - value), abs(others.max() - value)) / (others.max() - others.min())
    assert told == {
        "input_far": pytest.approx(float(gap)),
        "input_far_column": 1,
        "input_far_value": value,
    }


@pytest.mark.parametrize(
    "x",
    [
        drawn(-0.4),  # not farther than the others are apart
        drawn(places=(1, 4)),  # of two samples
        drawn(places=range(13)),  # of more than half
        torch.cat([(4 * drawn()).round(), drawn()[:, :1]], 1),  # beside few others
        torch.cat([drawn(places=(3,)), drawn(places=(3,))[[3, 3]]]),  # one sample, three times
        drawn(float("nan")),
        drawn()[:, [0] * 127 + [1, 2]],
    ],
)
def test_what_may_well_be_a_value_like_others_is_let_be(x):
    assert not any(each.get("input_far") for each in seen(x))


def test_others_that_come_later_may_lie_between():
    x = drawn()
    between = drawn(places=())
    between[0, 1] = -10.0
    first, later = seen(x, between)
    assert first["input_far"] > 1
    assert later["input_far"] == 0


def test_how_often_a_value_came_is_counted_for_itself():
    (_, told) = seen(drawn(places=range(13)), drawn(-500.0, places=range(13), seed=1))
    assert told["input_far_value"] == -500


def test_after_thousands_of_samples_what_was_found_stays():
    between = drawn(places=())
    between[0, 1] = -10.0
    told = seen(*(drawn(samples=256, seed=seed) for seed in range(33)), between)
    assert told[-1] == told[-2]
    assert told[-1]["input_far"] > 1


def test_of_two_such_values_that_are_as_far_apart_nothing_is_told():
    told = seen(drawn(), drawn(-30.0, seed=1), drawn(seed=2))
    assert [each["input_far"] > 1 for each in told] == [True, False, False]
    (_, farther) = seen(drawn(), drawn(-500.0, seed=1))
    assert (farther["input_far"] > 20, farther["input_far_value"]) == (True, -500)


def test_sequences_and_parts_of_them_are_no_tables():
    assert seen(drawn(), rows=6) == [{}]
    assert seen(drawn(), is_part=True) == [{}]


def test_the_column_that_was_told_first_is_kept_to():
    x = drawn()
    later = drawn(seed=1)
    later[[2, 5, 7], 2] = 900.0
    assert [each["input_far_column"] for each in seen(x, later)] == [1, 1]


def test_it_goes_on_from_a_checkpoint():
    whole, resumed = FarValues(), FarValues()
    batches = [Data(Pending.at_hand(drawn(seed=seed)), False, rows=24) for seed in range(3)]
    whole.see([batches[0]])
    resumed.load_state(whole.state())
    assert [resumed.see([each]) for each in batches] == [whole.see([each]) for each in batches]
