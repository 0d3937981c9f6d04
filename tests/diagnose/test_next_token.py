"""Where a language model's targets stand in what it reads, and what it can see of them."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.figures.tokens import token_figures
from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import Program
from tests.usual_step import descend

TOKENS = np.random.default_rng(0).integers(1, 20, (8, 24))


class Reader(nn.Module):
    """Reads tokens with an LSTM, or with attention."""

    def __init__(self, attends=False, both_ways=False, narrow=False):
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.lstm = None if attends else nn.LSTM(16, 16, batch_first=True, bidirectional=both_ways)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True) if attends else None
        self.narrow = nn.Linear(16, 16) if narrow else None
        self.head = nn.Linear(32 if both_ways else 16, 20)
        self.is_causal = not both_ways

    def forward(self, tokens):
        x = self.embedding(tokens)
        if self.attention is not None:
            mask = torch.ones(x.shape[1], x.shape[1]).triu(1).bool()
            x = x + self.attention(x, x, x, attn_mask=mask if self.is_causal else None)[0]
            return self.head(torch.cat([x, x], -1) if self.head.in_features == 32 else x)
        x = self.lstm(x)[0]
        if self.narrow is not None:
            x = self.narrow(x[:, -1:]).expand_as(x)
        return self.head(x)


class Listener(nn.Module):
    """Writes tokens after sounds, at all of which it may look at any place."""

    def __init__(self, is_causal=True):
        super().__init__()
        self.reader, self.is_causal = Reader(attends=True, both_ways=not is_causal), is_causal
        self.ear = nn.Linear(8, 16)
        self.listens = nn.MultiheadAttention(16, 2, batch_first=True)
        self.heard = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, tokens):
        sound = self.ear(torch.randn(len(tokens), 12, 8))
        sound = sound + self.listens(sound, sound, sound)[0]
        read = self.reader
        x = read.embedding(tokens)
        mask = torch.ones(x.shape[1], x.shape[1]).triu(1).bool() if self.is_causal else None
        x = x + read.attention(x, x, x, attn_mask=mask)[0]
        x = x + self.heard(x, sound, sound)[0]
        return read.head(x if self.is_causal else torch.cat([x, x], -1))


def found(network, logits_and_targets):
    """Rules and explanations of six steps."""

    def run(_, watch):
        model, tokens = network(), torch.tensor(TOKENS)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with watch(model) as scope:
            for _ in range(6):
                logits, targets = logits_and_targets(model(tokens), tokens)
                loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)
                descend(scope, optimizer, loss)

    findings = judged(Program("", run), mended=False)
    return " ".join(f"{each.rule} {each.explanation}" for each in findings)


def same(logits, tokens):
    return logits, tokens


def shifted(logits, tokens):
    return logits[:, :-1], tokens[:, 1:]


def shifted_twice(logits, tokens):
    return logits[:, :-2], tokens[:, 2:]


def test_targets_that_are_not_shifted_or_twice_are_told_of():
    assert "same places" in found(Reader, same)
    assert "shifted twice" in found(Reader, shifted_twice)
    assert found(Reader, shifted) == ""


def test_an_autoencoder_is_to_copy():
    assert found(lambda: Reader(narrow=True), same) == ""


@pytest.mark.parametrize("attends", [True, False])
def test_a_network_that_looks_ahead_sees_its_targets(attends):
    assert "sees them" in found(lambda: Reader(attends, both_ways=True), shifted)
    assert found(lambda: Reader(attends), shifted) == ""


def test_a_network_may_look_at_all_of_what_is_no_text():
    assert found(Listener, shifted) == ""
    assert "sees them" in found(lambda: Listener(is_causal=False), shifted)


def gradient_to(targets):
    gradient = np.full((targets.size, 20), 0.01)
    gradient[np.arange(targets.size), targets.ravel()] = -0.2
    return gradient


def test_padding_at_the_ends_of_sequences_is_counted():
    tokens = TOKENS.copy()
    for row, length in enumerate((5, 8, 12, 16, 6, 7, 20, 9)):
        tokens[row, length:] = 0
    targets = np.roll(tokens, -1, axis=1)
    gradient = gradient_to(targets)
    figures = token_figures([tokens], gradient, tokens.size, 1)
    assert figures["target_padding"] == pytest.approx((targets == 0).mean())
    gradient[targets.ravel() == 0] = 0
    assert token_figures([tokens], gradient, tokens.size, 1)["target_padding"] == 0
    assert token_figures([TOKENS], gradient_to(TOKENS), TOKENS.size, 1)["target_padding"] == 0


def test_time_may_come_first_and_samples_be_apart():
    tokens = TOKENS.T
    gradient = gradient_to(np.roll(tokens, -1, axis=0))
    assert token_figures([tokens], gradient, tokens.size, 1)["target_shift"] == 1
    assert token_figures([tokens], gradient[::2], tokens.size, 2)["target_shift"] == 1


def test_a_decoder_that_is_fed_its_targets_is_no_autoencoder():
    gradient, before = gradient_to(TOKENS), np.roll(TOKENS, 1, axis=1)
    places = np.broadcast_to(np.arange(24), TOKENS.shape)

    def is_fed(*tokens):
        return token_figures(tokens, gradient, TOKENS.size, 1).get("targets_fed", 0.0)

    assert is_fed(before[:, ::-1], TOKENS) == 1
    assert is_fed(before[:, ::-1], TOKENS, places) == 1
    assert is_fed(TOKENS, before) == 0  # an autoencoder: its decoder gets the tokens before
    assert is_fed(TOKENS, before[:, ::-1]) == 0
    assert is_fed(TOKENS, places) == 0


def test_a_writer_that_is_fed_its_targets_beside_sounds_is_told_of():
    assert "has only to copy" in found(Listener, same)
