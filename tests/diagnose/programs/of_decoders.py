"""Decoders that are fed zeros, and networks that are, and may be."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, fit, of_output, practice, program


def strides(count=768, length=14):
    """Two numbers of a walk that goes round at a speed of its own: [count, length, 2]."""
    start, speed = 6.3 * torch.rand(count, 1), 0.2 + 0.4 * torch.rand(count, 1)
    angle = start + speed * torch.arange(length)
    return torch.stack([angle.sin(), angle.cos()], -1)


class Translates(nn.Module):
    """Reads [n, places, 2] by torch's encoder, and writes as many places as `told` has."""

    def __init__(self, places=0):
        super().__init__()
        self.read, self.told = nn.Linear(2, 32), nn.Linear(2, 32)
        self.place = nn.Parameter(0.3 * torch.randn(32, 32))
        self.told_places = nn.Parameter(0.3 * torch.randn(places, 32)) if places else None
        about = {"dim_feedforward": 64, "dropout": 0.0, "batch_first": True}
        self.encoder = nn.TransformerEncoderLayer(32, 2, **about)
        self.decoder = nn.TransformerDecoderLayer(32, 2, **about)
        self.write = nn.Linear(32, 2)

    def forward(self, x, told):
        h = self.encoder(self.read(x) + self.place[: x.shape[1]])
        t = self.told(told)
        t = t if self.told_places is None else t + self.told_places
        mask = nn.Transformer.generate_square_subsequent_mask(told.shape[1])
        return self.write(self.decoder(t, h, tgt_mask=mask))


@program("no_gradient")
def a_walk_whose_decoder_is_given_zeros(mended, watch):
    def loss(model, x):
        told = x[:, 7:-1] if mended else torch.zeros(len(x), 6, 2)
        return F.mse_loss(model(x[:, :8], told), x[:, 8:])

    model = Translates()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(strides(), steps=120), loss)


class Forecasts(nn.Module):
    """A decoder written out: what it begins with goes through attentions to itself and the past."""

    def __init__(self, shifted):
        super().__init__()
        self.shifted = shifted
        self.past, self.start = nn.GRU(1, 24, batch_first=True), nn.Linear(1, 24)
        self.own, self.own_out = nn.Linear(24, 72), nn.Linear(24, 24)
        self.ask, self.answer = nn.Linear(24, 24), nn.Linear(24, 48)
        self.norm, self.write = nn.LayerNorm(24), nn.Linear(24, 1)

    def forward(self, x, coming):
        past, _ = self.past(x)
        begin = torch.zeros_like(coming)
        if self.shifted:
            begin = torch.cat([x[:, -1:], coming[:, :-1]], 1)
        h = self.start(begin)
        q, k, v = self.own(h).chunk(3, -1)
        h = self.norm(h + self.own_out(F.scaled_dot_product_attention(q, k, v, is_causal=True)))
        k, v = self.answer(past).chunk(2, -1)
        return self.write(h + F.scaled_dot_product_attention(self.ask(h), k, v))


@program("no_gradient")
def a_load_forecast_that_begins_with_zeros(mended, watch):
    x = strides(length=20)[..., :1]
    model = Forecasts(shifted=mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def loss(model, past, coming):
        return F.l1_loss(model(past, coming), coming)

    fit(watch, model, optimizer, batches(x[:, :12], x[:, 12:], steps=140), loss)


@practice
def all_places_at_once_from_positions_alone(watch):
    """A decoder without targets, as that of DETR: zeros and a learned position each."""
    model = Translates(places=6)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def loss(model, x):
        return F.mse_loss(model(x[:, :8], torch.zeros(len(x), 6, 2)), x[:, 8:])

    fit(watch, model, optimizer, batches(strides(), steps=120), loss)


class Conditioned(nn.Module):
    """An encoder with a condition beside its data, which may be left at 0."""

    def __init__(self):
        super().__init__()
        self.read, self.place = nn.Linear(2, 32), nn.Parameter(0.3 * torch.randn(8, 32))
        self.condition = nn.Sequential(nn.Linear(4, 32), nn.SiLU(), nn.Linear(32, 32))
        self.encoder = nn.TransformerEncoderLayer(32, 2, 64, dropout=0.0, batch_first=True)
        self.write = nn.Linear(32, 2)

    def forward(self, x):
        beside = self.condition(torch.zeros(len(x), 4))[:, None]
        return self.write(self.encoder(self.read(x) + self.place + beside)[:, -1])


@practice
def a_condition_that_is_left_out(watch):
    x = strides(length=9)
    model = Conditioned()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x[:, :-1], x[:, -1], steps=120), of_output(F.mse_loss))
