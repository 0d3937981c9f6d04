"""Which share of the tokens is one number, padding left out."""

import math

import numpy as np
import pytest

from layerscope.session.repeated_tokens import commonest_token

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


def test_of_many_tokens_some_rows_are_looked_at():
    tokens = texts(0.93, rows=200, columns=64)
    tokens[32:] = PADDING
    assert commonest_token([tokens]) == pytest.approx((tokens[:32] == UNKNOWN).mean())
