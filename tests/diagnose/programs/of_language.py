"""Faults of language models: where targets stand in what they read, and what they see of them."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, fit, program

WORDS = 24


def chains(count=256, length=20):
    """Tokens [count, length], each drawn by the one before it."""
    likely = torch.softmax(2 * torch.randn(WORDS, WORDS), 1)
    tokens = [torch.randint(WORDS, (count,))]
    for _ in range(length - 1):
        tokens.append(torch.multinomial(likely[tokens[-1]], 1)[:, 0])
    return torch.stack(tokens, 1)


class Recurrent(nn.Module):
    """Logits for each token of a sequence, by a GRU."""

    def __init__(self, both_ways=False):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 24)
        self.gru = nn.GRU(24, 24, batch_first=True, bidirectional=both_ways)
        self.head = nn.Linear(48 if both_ways else 24, WORDS)

    def forward(self, tokens):
        return self.head(self.gru(self.embedding(tokens))[0])


class Attentive(nn.Module):
    """Logits for each token of a sequence, by an encoder's layer."""

    def __init__(self, causal):
        super().__init__()
        self.embedding, self.place = nn.Embedding(WORDS, 24), nn.Embedding(32, 24)
        self.layer = nn.TransformerEncoderLayer(24, 2, 48, 0.0, batch_first=True)
        self.head, self.causal = nn.Linear(24, WORDS), causal

    def forward(self, tokens):
        length = tokens.shape[1]
        x = self.embedding(tokens) + self.place(torch.arange(length))
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        return self.head(self.layer(x, src_mask=mask if self.causal else None))


def next_word(model, tokens, ignored=-100):
    logits = model(tokens)[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=ignored)


def train(watch, model, tokens, loss_of, steps=60):
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(tokens, steps=steps, size=8), loss_of)


@program("next_token")
def labels_at_the_place_of_the_inputs(mended, watch):
    def loss(model, tokens):
        if mended:
            return next_word(model, tokens)
        return F.cross_entropy(model(tokens).transpose(1, 2), tokens)

    train(watch, Recurrent(), chains(), loss)


@program("next_token")
def labels_that_collator_and_model_shift(mended, watch):
    def loss(model, tokens):
        labels = tokens
        if not mended:
            labels = F.pad(tokens[:, 1:], (0, 1), value=-100)
        logits = model(tokens)[:, :-1]
        return F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())

    train(watch, Recurrent(), chains(), loss)


@program("next_token")
def an_encoder_layer_without_a_mask(mended, watch):
    train(watch, Attentive(causal=mended), chains(), next_word)


@program("next_token")
def a_recurrence_that_reads_both_ways(mended, watch):
    train(watch, Recurrent(both_ways=not mended), chains(), next_word)


@program("next_token")
def padding_among_the_targets(mended, watch):
    tokens = chains(length=30).clamp(min=1)
    tokens[torch.arange(30) >= torch.randint(4, 12, (len(tokens), 1))] = 0

    def loss(model, tokens):
        return next_word(model, tokens, ignored=0 if mended else -100)

    train(watch, Recurrent(), tokens, loss)
