"""Programs with a fault in an attention."""

import math

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, program


class HandWritten(nn.Module):
    """Self-attention by hand, pooled over the tokens."""

    def __init__(self, scale):
        super().__init__()
        self.words = nn.Embedding(60, 32)
        self.q, self.k, self.v = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 32)
        self.out = nn.Linear(32, 3)
        with torch.no_grad():
            self.q.weight.mul_(scale)
            self.k.weight.mul_(scale)

    def forward(self, tokens):
        x = self.words(tokens)
        scores = self.q(x) @ self.k(x).transpose(1, 2) / 32**0.5
        return self.out((scores.softmax(-1) @ self.v(x)).mean(1))


@program("attention_collapse", first=False, also=("large_weights",))  # which make it so
def queries_and_keys_thirty_times_too_large(mended, watch):
    tokens, topic = toys.phrases()
    model = HandWritten(1.0 if mended else 30.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=150), cross_entropy)


class Fused(HandWritten):
    def forward(self, tokens):
        x = self.words(tokens)
        mixed = F.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x))
        return self.out(mixed.mean(1))


@program("attention_collapse", first=False, also=("large_weights",))
def fused_attention_with_queries_too_large(mended, watch):
    tokens, topic = toys.phrases()
    model = Fused(1.0 if mended else 30.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=150), cross_entropy)


def questions(count=1024, pairs=6, words=12):
    """Sequences [count, 2 pairs + 1] of (key, value) pairs and the key that is asked for; its value
    [count].
    """
    keys = torch.rand(count, words).argsort(1)[:, :pairs]
    values = torch.randint(words, (count, pairs))
    asked = torch.randint(pairs, (count,))
    at = torch.arange(count), asked
    both = torch.stack([keys, words + values], 2).flatten(1)
    return torch.cat([both, keys[at][:, None]], 1), values[at]


class Block(nn.Module):
    def __init__(self, width, heads, attend):
        super().__init__()
        self.heads, self.attend = heads, attend
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x):
        q, k, v = (
            each.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for each in self.qkv(self.norm1(x)).chunk(3, -1)
        )
        x = x + self.proj(self.attend(q, k, v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


class Reader(nn.Module):
    """A small transformer that answers at the last token."""

    def __init__(self, attend, words=24, length=13, classes=12, width=48, heads=3, blocks=2):
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*[Block(width, heads, attend) for _ in range(blocks)])
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, tokens):
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        return self.out(self.norm(self.blocks(x))[:, -1])


@program("attention_uniform")
def a_soft_cap_that_is_not_multiplied_back(mended, watch):
    tokens, answers = questions()

    def attend(q, k, v):
        capped = torch.tanh(torch.einsum("bhid,bhjd->bhij", q, k) / 4 / 50)
        return (50 * capped if mended else capped).softmax(-1) @ v

    model = Reader(attend)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(tokens, answers, steps=150), cross_entropy)


@program("attention_uniform")
def logits_divided_by_the_width_of_all_heads_squared(mended, watch):
    tokens, answers = questions()

    def attend(q, k, v):
        width = q.shape[1] * q.shape[3]
        scores = q @ k.mT / (math.sqrt(q.shape[3]) if mended else width**2)
        return F.dropout(scores.softmax(-1), 0.1) @ v

    model = Reader(attend)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(tokens, answers, steps=150), cross_entropy)


@program("attention_axis")
def weights_that_add_up_over_the_heads(mended, watch):
    tokens, answers = questions()

    def attend(q, k, v):
        scores = q @ k.mT / math.sqrt(q.shape[3])
        return F.dropout(F.softmax(scores, dim=-1 if mended else 1), 0.1) @ v

    model = Reader(attend)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(tokens, answers, steps=100), cross_entropy)


@program("attention_axis")
def weights_that_add_up_over_the_queries(mended, watch):
    tokens, answers = questions()

    def attend(q, k, v):
        scores = torch.einsum("bhid,bhjd->bhij", q * q.shape[3] ** -0.5, k)
        weights = scores.softmax(dim=3 if mended else 2)
        return torch.einsum("bhij,bhjd->bhid", weights, v)

    model = Reader(attend)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(tokens, answers, steps=100), cross_entropy)


def _causal(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


@program("attention_logit_growth")
def adam_at_one_tenth_without_normalised_queries(mended, watch):
    tokens, answers = questions()
    model = Reader(_causal)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3 if mended else 0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1.0, (k + 1) / 50))
    fit(watch, model, optimizer, batches(tokens, answers, steps=150), cross_entropy, scheduler)


class Encoder(nn.Module):
    """torch's own layers, post-norm."""

    def __init__(self, norm_first):
        super().__init__()
        self.words, self.places = nn.Embedding(24, 48), nn.Embedding(13, 48)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(48, 3, 96, 0.0, batch_first=True, norm_first=norm_first)
            for _ in range(2)
        )
        self.out = nn.Linear(48, 12)

    def forward(self, tokens):
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return self.out(x[:, -1])


@program("attention_logit_growth", first=False, also=("update_too_large",))
def queries_and_keys_with_a_rate_three_hundred_times_that_of_the_rest(mended, watch):
    tokens, answers = questions()
    model = Encoder(norm_first=True)
    attention = [layer.self_attn.in_proj_weight for layer in model.layers]
    rest = [p for p in model.parameters() if all(p is not each for each in attention)]
    rate = 1e-3
    optimizer = torch.optim.AdamW(
        [{"params": rest}, {"params": attention, "lr": rate if mended else 300 * rate}],
        lr=rate,
        weight_decay=0.0,
    )
    fit(watch, model, optimizer, batches(tokens, answers, steps=150), cross_entropy)


def padded(count=512, length=12):
    """Tokens [count, length], 0 behind the end of each sequence, and the topic [count]."""
    tokens, topic = toys.phrases(count=count, length=length)
    ends = torch.randint(3, length, (count,))
    return (tokens + 1).masked_fill(torch.arange(length) >= ends[:, None], 0), topic


class OfOneLength(nn.Module):
    """Reads padded tokens with an encoder of torch's."""

    def __init__(self, inverted):
        super().__init__()
        self.words, self.inverted = nn.Embedding(61, 32, padding_idx=0), inverted
        self.encoder = nn.TransformerEncoderLayer(32, 2, 64, 0.0, batch_first=True)
        self.out = nn.Linear(32, 3)

    def forward(self, tokens):
        mask = tokens != 0 if self.inverted else tokens == 0
        x = self.encoder(self.words(tokens), src_key_padding_mask=mask)
        return self.out(x.masked_fill((tokens == 0)[..., None], 0).sum(1))


@program("mask_inverted")
def a_padding_mask_that_is_true_for_tokens(mended, watch):
    model = OfOneLength(inverted=not mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(*padded(), steps=60), cross_entropy)


@program("mask_inverted")
def scores_of_tokens_at_minus_a_billion(mended, watch):
    tokens, topic = padded()
    tokens = tokens.flip(1)  # padding first

    class Reader(HandWritten):
        def forward(self, tokens):
            x = self.words(tokens)
            scores = self.q(x) @ self.k(x).transpose(1, 2) / 32**0.5
            mask = (tokens != 0 if mended else tokens == 0).float()[:, None]
            weights = F.softmax(scores + (1 - mask) * -1e9, dim=-1)
            return self.out((x + weights @ self.v(x)).mean(1))

    model = Reader(1.0)
    model.words = nn.Embedding(61, 32)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=60), cross_entropy)
