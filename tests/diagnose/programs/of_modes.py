"""Dropout that evaluation does not turn off, no evaluation, and layers in the place of others."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program
from tests.usual_step import descend


def validated(watch, model, optimizer, x, y):
    """A loop with a validation on the first quarter every fifty steps."""
    with watch(model) as scope:
        for number, (batch_x, batch_y) in enumerate(batches(x[256:], y[256:], steps=100)):
            descend(scope, optimizer, F.cross_entropy(model(batch_x), batch_y))
            if number % 50 == 49:
                model.eval()
                with torch.no_grad():
                    model(x[:256])
                model.train()


def in_epochs(watch, model, optimizer, x, y, loss_of, *, evaluates):
    """Four epochs, each with a validation in batches, which may have its mode."""
    with watch(model) as scope:
        for _ in range(4):
            model.train()
            for at in (256 + torch.randperm(len(x) - 256)).split(32):
                descend(scope, optimizer, loss_of(model(x[at]), y[at]))
            model.train(not evaluates)
            with torch.inference_mode():
                sum(float(loss_of(model(x[at]), y[at])) for at in torch.arange(256).split(64))


@program("in_evaluation_mode")
def pictures_validated_by_the_statistics_of_each_batch(mended, watch):
    x, y = toys.pictures(count=768)
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(128, 4)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    in_epochs(watch, model, optimizer, x, y, F.cross_entropy, evaluates=mended)


@program("in_evaluation_mode")
def a_forecast_that_drops_while_it_is_tested(mended, watch):
    x, following = toys.waves(count=768)

    class Forecast(nn.Module):
        def __init__(self):
            super().__init__()
            self.read = nn.LSTM(1, 24, 2, batch_first=True, dropout=0.2)
            self.out = nn.Linear(24, 1)

        def forward(self, x):
            return self.out(self.read(x)[0][:, -1])

    model = Forecast()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    in_epochs(watch, model, optimizer, x, following, F.mse_loss, evaluates=mended)


class Sentiment(nn.Module):
    def __init__(self, told):
        super().__init__()
        self.told = told
        self.words = nn.EmbeddingBag(60, 24)
        self.hidden, self.out = nn.Linear(24, 24), nn.Linear(24, 3)

    def forward(self, tokens):
        x = self.hidden(self.words(tokens)).relu()
        x = F.dropout(x, 0.4, training=self.training) if self.told else F.dropout(x, 0.4)
        return self.out(x)


@program("dropout_high")
def a_functional_dropout_that_nobody_tells_of_evaluation(mended, watch):
    tokens, topic = toys.phrases()
    model = Sentiment(told=mended)
    validated(watch, model, torch.optim.Adam(model.parameters(), lr=3e-3), tokens, topic)


class Attending(nn.Module):
    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.queries, self.out = nn.Linear(1, 24), nn.Linear(8, 4)

    def forward(self, x):
        queries, keys, values = self.queries(x[..., None]).chunk(3, -1)
        p = 0.0 if self.mended and not self.training else 0.2
        seen = F.scaled_dot_product_attention(queries, keys, values, dropout_p=p)
        return self.out(seen.mean(1))


@program("dropout_high")
def fused_attention_that_always_drops(mended, watch):
    x, y = toys.blobs(apart=3.0)
    model = Attending(mended)
    validated(watch, model, torch.optim.Adam(model.parameters(), lr=1e-2), x, y)


class TwoEnds(nn.Module):
    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.body = nn.Linear(10, 32)
        self.mean, self.spread = nn.Linear(32, 1), nn.Linear(32, 1)

    def forward(self, x):
        h = self.body(x).relu()
        return self.mean(h), (self.spread if self.mended else self.mean)(h)


@program("modules_repeated")
def one_head_for_mean_and_spread(mended, watch):
    x = torch.randn(1024, 10)
    y = x[:, :1] + 0.1 * torch.exp(x[:, 1:2]) * torch.randn(1024, 1)
    model = TwoEnds(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss_of(model, x, y):
        mean, spread = model(x)
        return F.gaussian_nll_loss(mean, y, F.softplus(spread) + 0.01)

    fit(watch, model, optimizer, batches(x, y, steps=120), loss_of)


class Gated(nn.Module):
    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.words = nn.Embedding(60, 24)
        self.value, self.gate, self.out = nn.Linear(24, 24), nn.Linear(24, 24), nn.Linear(24, 3)

    def forward(self, tokens):
        x = self.words(tokens)
        gate = torch.sigmoid((self.gate if self.mended else self.value)(x))
        return self.out((self.value(x) * gate).mean(1))


@program("modules_repeated")
def a_gate_that_is_computed_by_the_layer_beside_it(mended, watch):
    tokens, topic = toys.phrases()
    model = Gated(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=100), of_output(F.cross_entropy))


@program("places_skipped", first=False)
def a_stride_of_four_for_a_kernel_of_two(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 2, stride=2 if mended else 4), nn.ReLU(), nn.Flatten()),
        nn.Linear(16 * (16 if mended else 4), 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=120), of_output(F.cross_entropy))


@program("places_skipped", first=False)
def a_stride_and_a_dilation_that_read_the_same_places(mended, watch):
    x, y = toys.waves(length=24)
    model = nn.Sequential(
        *(nn.Flatten(), nn.Unflatten(1, (1, 24)), nn.Conv1d(1, 8, 3, 1 if mended else 4, 0, 4)),
        *(nn.Tanh(), nn.Flatten(), nn.Linear(8 * (16 if mended else 4), 1)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=120), of_output(F.mse_loss))
