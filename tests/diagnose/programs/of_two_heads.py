"""Networks with two heads, one of whose errors is so large that the other has no say."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program


class TwoHeads(nn.Module):
    """Two outputs of one body, of these widths."""

    def __init__(self, features, *widths):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(32, width) for width in widths)

    def forward(self, x):
        h = self.body(x)
        return [head(h) for head in self.heads]


@program("target_scale")
def a_price_beside_a_kind(mended, watch):
    x, kind = toys.blobs(classes=5)
    price = 250 + 60 * torch.sin(x[:, :1]) + 30 * x[:, 1:2]
    if mended:
        price = (price - price.mean()) / price.std()
    model = TwoHeads(10, 5, 1)

    def loss(model, x, kind, price):
        logits, value = model(x)
        return F.cross_entropy(logits, kind) + F.mse_loss(value, price)

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, kind, price, steps=200), loss)


@program("target_scale")
def seconds_beside_a_share(mended, watch):
    x = torch.randn(1024, 8)
    share = torch.sigmoid(2 * x[:, :1] - x[:, 1:2])
    seconds = 3600 * (2 + torch.tanh(x[:, 2:3]) + 0.2 * torch.randn(1024, 1))
    seconds = (seconds - seconds.mean()) / seconds.std() if mended else seconds
    model = TwoHeads(8, 1, 1)

    def loss(model, x, share, seconds):
        first, second = model(x)
        return F.mse_loss(first.sigmoid(), share) + 0.5 * F.mse_loss(second, seconds)

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, share, seconds, steps=200), loss)
