"""Which share of the tokens is one number, padding left out."""

import math

import numpy as np
import pytest

from layerscope.figures.token_ids import commonest_token

PADDING, UNKNOWN = 0, 1
RNG = np.random.default_rng(0)


def texts(unknown, *, rows=64, columns=20, lengths=None):
    """Tokens of 2 to 29, of which a share is UNKNOWN, of some lengths; behind them PADDING."""
    tokens = RNG.integers(2, 30, (rows, columns))
    tokens[RNG.random((rows, columns)) < unknown] = UNKNOWN
    if lengths is not None:
        tokens[np.arange(columns) >= RNG.integers(*lengths, rows)[:, np.newaxis]] = PADDING
    return tokens


def test_it_is_the_share_of_the_commonest_where_there_is_no_padding():
    tokens = texts(0.93)
    assert commonest_token([tokens]) == pytest.approx((tokens == UNKNOWN).mean())


@pytest.mark.parametrize("turned", [False, True])
def test_padding_at_either_end_is_left_out(turned):
    tokens = texts(0.93, lengths=(3, 20))
    share = (tokens == UNKNOWN).sum() / (tokens != PADDING).sum()
    tokens = tokens[:, ::-1] if turned else tokens
    assert commonest_token([tokens]) == pytest.approx(share)
    assert share > 0.9


@pytest.mark.parametrize("turned", [False, True])
def test_padding_itself_is_no_such_token(turned):
    tokens = texts(0.0, columns=200, lengths=(3, 20))
    assert (tokens == PADDING).mean() > 0.9
    tokens = tokens[:, ::-1] if turned else tokens
    assert math.isnan(commonest_token([tokens]))


def test_what_waits_at_the_same_places_in_all_rows_is_none():
    tokens = np.full((64, 100), UNKNOWN)
    tokens[:, :4], tokens[:, -1] = RNG.integers(2, 30, (64, 4)), 40
    assert math.isnan(commonest_token([tokens]))


def test_events_of_few_kinds_may_be_rare():
    assert math.isnan(commonest_token([(RNG.random((64, 50)) < 0.04).astype(int)]))


def test_of_several_matrices_it_is_the_largest_share_and_of_none_there_is_none():
    few, many = texts(0.85), texts(0.93)
    assert commonest_token([few, many]) == commonest_token([many]) > 0.9
    assert math.isnan(commonest_token([few]))
    assert math.isnan(commonest_token([]))
    assert math.isnan(commonest_token([many[:2]]))


def spread(rows=16, columns=20, others=(0, 0), kinds=5, step=3, alone=0):
    """UNKNOWN, but for a piece of each row, at another place in each, where 0 is another token of
    so many kinds; and rows of nothing else.
    """
    tokens = np.full((rows + alone, columns), UNKNOWN)
    for row in range(rows):
        for place, kind in enumerate(others):
            if kind != UNKNOWN:
                at = (step * row + place) % (columns - len(others) + 1)
                tokens[row, at] = 2 + (row + place) % kinds
    return tokens


@pytest.mark.parametrize(
    ("told", "tokens"),
    [
        (True, spread(columns=10, rows=4, others=(0, 1, 0), kinds=4, alone=6)),  # 100 tokens
        (False, spread(columns=11, rows=4, others=(0, 1, 0), kinds=4, alone=5)),  # 99
        (False, spread(columns=10, rows=4, others=(0, 1, 0), kinds=3, alone=6)),
        (True, spread(columns=60, others=(0, 0, 1, 0))),  # a quarter of what lies between is it
        (False, spread(columns=60, others=(0, 0, 0, 1, 0))),  # less, as of padding
        (True, spread(columns=512, rows=4, others=(0, 1, 0))),
        (False, spread(columns=512, rows=3, others=(0, 1, 0))),  # where do others stand?
        (True, spread(columns=60, others=(0, 1, 0), step=2)),
        (False, spread(columns=60, others=(0, 1, 0), step=0)),  # at the same places in all rows
        (True, spread(columns=20, others=(0, 1, 0))),  # nine tenths
        (False, spread(columns=19, others=(0, 1, 0))),
    ],
)
def test_at_its_limits_it_is_one_token_or_is_not(told, tokens):
    assert math.isnan(commonest_token([tokens])) != told


def test_where_most_rows_have_one_other_token_those_of_several_tell_that_it_is_no_padding():
    tokens = np.full((64, 20), UNKNOWN)
    tokens[np.arange(40), np.arange(40) % 20] = 2 + np.arange(40) % 6
    tokens[40:42, 0] = tokens[40:42, 8] = 9
    assert commonest_token([tokens]) == pytest.approx(1 - 44 / 1280)


@pytest.mark.parametrize(("padded", "told"), [(16, True), (15, False)])
def test_what_ends_a_quarter_of_the_rows_is_padding(padded, told):
    tokens = texts(0.93)
    tokens[:padded, 10:] = PADDING
    assert math.isnan(commonest_token([tokens])) != told


@pytest.mark.parametrize("columns", [64, 512, 2000])
def test_long_sequences_are_told_of_too(columns):
    assert commonest_token([texts(0.93, columns=columns)]) == pytest.approx(0.93, abs=0.02)


def test_of_many_tokens_some_rows_are_looked_at():
    tokens = texts(0.93, rows=200, columns=64)
    tokens[32:] = texts(0.0, rows=168, columns=64)
    assert commonest_token([tokens]) == pytest.approx((tokens[:32] == UNKNOWN).mean())
