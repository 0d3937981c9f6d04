"""Dropout that evaluation does not turn off."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, blobs, phrases, program


def validated(watch, model, optimizer, x, y):
    """A loop with a validation on the first quarter every fifty steps."""
    with watch(model) as scope:
        for number, (batch_x, batch_y) in enumerate(batches(x[256:], y[256:], steps=100)):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(batch_x), batch_y)
            loss.backward()
            optimizer.step()
            scope.step(loss)
            if number % 50 == 49:
                model.eval()
                with torch.no_grad():
                    model(x[:256])
                model.train()


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
    tokens, topic = phrases()
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
    x, y = blobs(apart=3.0)
    model = Attending(mended)
    validated(watch, model, torch.optim.Adam(model.parameters(), lr=1e-2), x, y)
