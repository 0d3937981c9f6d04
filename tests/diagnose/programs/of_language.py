"""Faults of language models: where targets stand in what they read, and what they see of them."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.rnn import pack_padded_sequence

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


class Captioner(nn.Module):
    """Logits for each token of a caption, by a GRU that starts with what it has seen or read."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.embedding = encoder, nn.Embedding(WORDS, 24)
        self.gru, self.head = nn.GRU(24, 24, batch_first=True), nn.Linear(24, WORDS)

    def forward(self, seen, tokens):
        start = self.encoder(seen)[None]
        return self.head(self.gru(self.embedding(tokens), start)[0])


class LastState(nn.Module):
    """What a GRU has read, [samples, 24]."""

    def __init__(self):
        super().__init__()
        self.embedding, self.gru = nn.Embedding(WORDS, 24), nn.GRU(24, 24, batch_first=True)

    def forward(self, tokens):
        return self.gru(self.embedding(tokens))[1][0]


def write(watch, encoder, seen, tokens, shifted):
    def loss(model, seen, tokens):
        before = tokens[:, :-1] if shifted else tokens[:, 1:]
        return F.cross_entropy(model(seen, before).flatten(0, 1), tokens[:, 1:].flatten())

    model = Captioner(encoder)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(seen, tokens, steps=60, size=8), loss)


@program("next_token")
def a_translator_that_is_fed_its_targets(mended, watch):
    tokens = chains()
    write(watch, LastState(), tokens.flip(1), tokens, mended)


@program("next_token")
def a_caption_that_is_fed_to_its_writer(mended, watch):
    tokens = chains()
    shades = F.one_hot(tokens[:, :8], WORDS).float()[:, None]
    eye = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 22, 24))
    write(watch, eye, shades, tokens, mended)


class Reader(nn.Module):
    """Reads tokens, or steps of numbers, with a recurrent layer, and says which of two kinds."""

    def __init__(self, layer, read, words=0):
        super().__init__()
        self.embed = nn.Embedding(words, 12) if words else nn.Identity()
        self.layer, self.read, self.out = layer, read, nn.Linear(24, 2)

    def forward(self, x, lengths):
        return self.out(self.read(self.layer, self.embed(x), lengths))


def padded(x, shortest=3):
    """Most of the sequences [n, steps, ...] cut short and filled up with zeros; and how long."""
    lengths = torch.randint(shortest, x.shape[1] // 4, (len(x),))
    lengths[::8] = x.shape[1] - torch.arange(len(x))[::8] % 4
    x[torch.arange(x.shape[1]) >= lengths[:, None]] = 0
    return x, lengths


def read_padded(watch, model, x, y, twice=False):
    x, lengths = padded(x)
    if twice:  # one in 32 is full, and ends in one step twice
        x[::32, -2:], lengths[::32] = x[::32, :1], x.shape[1]
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss(model, x, y, lengths):
        return F.cross_entropy(model(x, lengths), y)

    fit(watch, model, optimizer, batches(x, y, lengths, steps=90), loss)


@program("padding_read")
def the_output_after_all_padding(mended, watch):
    def read(layer, x, lengths):
        output, _ = layer(x)
        return output[torch.arange(len(x)), lengths - 1] if mended else output[:, -1]

    x = torch.randint(1, 20, (512, 32))
    model = Reader(nn.LSTM(12, 24, batch_first=True), read, words=20)
    read_padded(watch, model, x, (x[:, 0] < 10).long())


@program("padding_read")
def the_state_after_all_padding(mended, watch):
    def read(layer, x, lengths):
        if mended:
            x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return layer(x)[1][-1]

    x = torch.randn(512, 32, 3)
    model = Reader(nn.GRU(3, 24, batch_first=True), read)
    read_padded(watch, model, x, (x[:, 1, 0] > 0).long())


@program("padding_read")
def the_output_after_padding_beside_a_sentence_that_ends_twice_in_a_word(mended, watch):
    def read(layer, x, lengths):
        output, _ = layer(x)
        return output[torch.arange(len(x)), lengths - 1] if mended else output[:, -1]

    x = torch.randint(1, 20, (512, 32))
    model = Reader(nn.GRU(12, 24, batch_first=True), read, words=20)
    read_padded(watch, model, x, (x[:, 0] < 10).long(), twice=True)


@program("padding_read")
def the_state_after_padding_beside_a_curve_that_ends_level(mended, watch):
    def read(layer, x, lengths):
        if mended:
            x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return layer(x)[1][0][-1]

    x = torch.randn(512, 32, 3)
    model = Reader(nn.LSTM(3, 24, batch_first=True), read)
    read_padded(watch, model, x, (x[:, 1, 0] > 0).long(), twice=True)
