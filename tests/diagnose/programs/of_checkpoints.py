"""Layers that are computed again in the backward pass, and get no gradient in it."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, of_output, program


class InSegments(nn.Module):
    """A body in two segments, and a head."""

    def __init__(self, reentrant):
        super().__init__()
        layers = (each for _ in range(4) for each in (nn.Linear(6, 6), nn.Tanh()))
        self.body, self.head = nn.Sequential(*layers), nn.Linear(6, 1)
        self.reentrant = reentrant

    def forward(self, x):
        hidden = checkpoint_sequential(self.body, 2, x, use_reentrant=self.reentrant)
        return self.head(hidden)


@program("no_gradient")
def a_sequence_of_segments_from_the_data_on(mended, watch):
    model = InSegments(reentrant=not mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(*toys.surface(), steps=150), of_output(F.mse_loss))


class BehindWords(nn.Module):
    """Two blocks that are computed again, behind words that are not trained."""

    def __init__(self, reentrant):
        super().__init__()
        self.words = nn.Embedding(60, 32)
        self.words.requires_grad_(requires_grad=False)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
            for _ in range(2)
        )
        self.head = nn.Linear(32, 3)
        self.reentrant = reentrant

    def forward(self, words):
        x = self.words(words)
        for block in self.blocks:
            x = x + checkpoint(block, x, use_reentrant=self.reentrant)
        return self.head(x.mean(1))


@program("no_gradient")
def blocks_computed_again_behind_frozen_words(mended, watch):
    x, y = toys.phrases(classes=3)
    model = BehindWords(reentrant=not mended)
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=100), cross_entropy)


@program("no_gradient")
def a_checkpoint_of_reentry_whose_input_requires_none(mended, watch):
    """Data that require a gradient mend it, too."""
    x, y = toys.blobs(classes=4)
    body, head = nn.Sequential(nn.Linear(10, 32), nn.ReLU()), nn.Linear(32, 4)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = body, head

        def forward(self, x):
            return self.head(checkpoint(self.body, x, use_reentrant=True))

    optimizer = torch.optim.SGD((model := Net()).parameters(), lr=0.1)

    def loss(model, x, y):
        return F.cross_entropy(model(x.requires_grad_(mended)), y)

    fit(watch, model, optimizer, batches(x, y), loss)
