"""A mask that leaves padding alone to be looked at is told from all others."""

import numpy as np
import pytest

from layerscope.figures.look_figures import sees_padding_only

LENGTHS = np.array([5, 8, 12, 3, 16, 7, 9, 11])
TOKENS = np.random.default_rng(0).integers(1, 40, (8, 16))
TOKENS[np.arange(16) >= LENGTHS[:, np.newaxis]] = 0
PADDING = TOKENS == 0


def test_padding_alone_is_seen():
    assert sees_padding_only(PADDING, 8, [TOKENS])
    assert sees_padding_only(PADDING, 8, [TOKENS.T])
    assert sees_padding_only(PADDING[:, ::-1], 8, [TOKENS[:, ::-1]])


def test_of_more_samples_some_are_compared_and_heads_may_lie_beside_each_other():
    twice = np.repeat(TOKENS, 2, axis=0)
    assert sees_padding_only(PADDING, 16, [twice])
    assert sees_padding_only(PADDING, 32, [twice])


@pytest.mark.parametrize(
    "visible",
    [
        ~PADDING,
        np.ones_like(PADDING),
        np.zeros_like(PADDING),
        PADDING | (np.arange(16) == 0),
        np.roll(PADDING, 1, axis=0),
    ],
)
def test_any_other_mask_is_not(visible):
    assert not sees_padding_only(visible, 8, [TOKENS])


def test_one_token_that_stands_first_may_be_all_that_is_seen():
    """As where a summary is all that others may read."""
    tokens = np.concatenate([np.full((8, 1), 50), TOKENS], axis=1)
    assert not sees_padding_only(tokens == 50, 8, [tokens])


def test_of_few_tokens_nothing_is_told():
    assert not sees_padding_only(PADDING, 8, [np.minimum(TOKENS, 5)])
    assert not sees_padding_only(PADDING, 8, [])


def test_words_at_the_ends_of_sequences_are_no_padding():
    words = np.random.default_rng(1).integers(100, 140, TOKENS.shape)
    assert not sees_padding_only(PADDING, 8, [np.where(PADDING, words, TOKENS)])
