"""Programs whose layers all start with large weights, under losses of several terms."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_starts import stack
from tests.diagnose.programs.program import batches, fit, program


def normal(model, mended):
    """Weights of a standard normal in all layers but embeddings, as is often written."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and not mended:
            nn.init.normal_(module.weight)
    return model


@program("overconfident_start", also=("saturated",))
def a_topic_and_a_number_from_a_standard_normal(mended, watch):
    x, y = toys.phrases(classes=4)
    share = toys.standard((x < 15).float().mean(1, keepdim=True))

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.EmbeddingBag(60, 32)
            self.body = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU())
            self.topic, self.share = nn.Linear(64, 4), nn.Linear(64, 1)

        def forward(self, x):
            seen = self.body(self.words(x))
            return self.topic(seen), self.share(seen)

    def loss(model, x, y, share):
        scores, found = model(x)
        return F.cross_entropy(scores, y) + F.huber_loss(found, share)

    model = normal(Both(), mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, share), loss)


@program("overconfident_start", also=("saturated",))
def a_sparse_code_of_pictures_from_a_standard_normal(mended, watch):
    x, _ = toys.pictures()
    x = toys.standard(x.flatten(1))

    class Coder(nn.Module):
        def __init__(self):
            super().__init__()
            self.inward, self.outward = stack(nn.ReLU, 64, 48, 12), stack(nn.ReLU, 12, 48, 64)

        def forward(self, x):
            code = self.inward(x)
            return self.outward(code), code

    def loss(model, x):
        drawn, code = model(x)
        return F.smooth_l1_loss(drawn, x) + 0.01 * code.abs().mean()

    model = normal(Coder(), mended)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    fit(watch, model, optimizer, batches(x), loss)
