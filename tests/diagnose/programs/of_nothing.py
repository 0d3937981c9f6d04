"""Losses that are exactly 0 whatever the network gives."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, blobs, fit, phrases, program


@program("loss_not_falling")
def views_of_one_picture_told_from_those_of_no_other(mended, watch):
    x, _ = blobs(classes=30, features=12, apart=3.0)
    model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def matching(model, x):
        one, other = (F.normalize(model(x + 0.3 * torch.randn_like(x)), dim=1) for _ in range(2))
        return F.cross_entropy(one @ other.T / 0.2, torch.arange(len(x)))

    fit(watch, model, optimizer, batches(x, steps=200, size=32 if mended else 1), matching)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.read = nn.Embedding(60, 16), nn.GRU(16, 24, batch_first=True)
        self.out = nn.Linear(24, 60)

    def forward(self, tokens):
        return self.out(self.read(self.words(tokens))[0])


@program("loss_not_falling")
def the_words_are_masked_and_the_padding_is_kept(mended, watch):
    tokens, _ = phrases(classes=6, count=512)
    tokens = tokens.clamp(min=1)  # 0 is padding, of which these phrases of one length have none
    model = Words()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def next_word(model, tokens):
        target = tokens[:, 1:]
        each = F.cross_entropy(model(tokens[:, :-1]).transpose(1, 2), target, reduction="none")
        kept = (target != 0) if mended else (target == 0)
        return (each * kept).sum() / kept.sum().clamp(min=1)

    fit(watch, model, optimizer, batches(tokens, steps=150), next_word)
