"""Programs whose attention is not told where a token stands, and has to know."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, fit, of_output, program


class Readings(nn.Module):
    """Numbers in the order in which they came, through torch's own encoder: [n, length, 1]."""

    def __init__(self, length, told):
        super().__init__()
        self.project = nn.Linear(1, 32)
        self.places = nn.Parameter(0.1 * torch.randn(length, 32)) if told else None
        layer = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)
        self.head = nn.Linear(32, 2)

    def forward(self, x):
        h = self.project(x)
        h = h if self.places is None else h + self.places
        return self.head(self.encoder(h).mean(1))


class Words(nn.Module):
    """Tokens [n, length] through one attention, written out or torch's own."""

    def __init__(self, told, by_hand):
        super().__init__()
        self.tokens, self.told, self.by_hand = nn.Embedding(40, 32), told, by_hand
        self.norm, self.qkv, self.out = nn.LayerNorm(32), nn.Linear(32, 96), nn.Linear(32, 32)
        self.head = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 4))
        place, pair = torch.arange(10)[:, None], torch.arange(16)
        angle = place / 100 ** (pair / 16)
        self.register_buffer("waves", torch.cat([angle.sin(), angle.cos()], 1))

    def forward(self, x):
        h = self.tokens(x) * 2.0
        h = h + self.waves if self.told else h
        heads = (len(x), -1, 4, 8)
        q, k, v = (e.reshape(heads).transpose(1, 2) for e in self.qkv(self.norm(h)).chunk(3, -1))
        if self.by_hand:
            seen = (q @ k.transpose(-2, -1) / 8**0.5).softmax(-1) @ v
        else:
            seen = F.scaled_dot_product_attention(q, k, v)
        h = h + self.out(seen.transpose(1, 2).flatten(2))
        return self.head(h).mean(1)


@program("no_positions")
def readings_that_rise_or_fall(mended, watch):
    x = torch.rand(2000, 8, 1).sort(1).values
    y = torch.randint(2, (2000,))
    x = torch.where(y[:, None, None] == 1, x, x.flip(1)) + 0.1 * torch.randn_like(x)
    model = Readings(8, told=mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=350), of_output(F.cross_entropy))


@program("no_positions")
def a_topic_that_the_first_word_names(mended, watch):
    x = torch.randint(40, (4000, 10))
    model = Words(told=mended, by_hand=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, x[:, 0] % 4, steps=350), of_output(F.cross_entropy))
