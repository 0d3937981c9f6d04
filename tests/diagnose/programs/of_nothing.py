"""Losses that are exactly 0 whatever the network gives."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program


@program("loss_not_falling")
def views_of_one_picture_told_from_those_of_no_other(mended, watch):
    x, _ = toys.blobs(classes=30, features=12, apart=3.0)
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
    tokens, _ = toys.phrases(classes=6, count=512)
    tokens = tokens.clamp(min=1)  # 0 is padding, of which these phrases of one length have none
    model = Words()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def next_word(model, tokens):
        target = tokens[:, 1:]
        each = F.cross_entropy(model(tokens[:, :-1]).transpose(1, 2), target, reduction="none")
        kept = (target != 0) if mended else (target == 0)
        return (each * kept).sum() / kept.sum().clamp(min=1)

    fit(watch, model, optimizer, batches(tokens, steps=150), next_word)


class Hears(nn.Module):
    """Scores of five tokens for one frame in four, or in sixteen."""

    def __init__(self, strides):
        super().__init__()
        widths = (6, *(24 for _ in strides))
        layers = [
            layer
            for width, after, stride in zip(widths[:-1], widths[1:], strides, strict=True)
            for layer in (nn.Conv1d(width, after, 5, stride, padding=2), nn.ReLU())
        ]
        self.body, self.scores = nn.Sequential(*layers), nn.Linear(24, 6)

    def forward(self, x):
        return self.scores(self.body(x.transpose(1, 2)).transpose(1, 2)).log_softmax(2)


def spoken(count=320, length=5, each=8):
    """Frames [count, length * each, 6] of tokens [count, length] that differ from the next."""
    steps = torch.randint(1, 5, (count, length))
    tokens = 1 + steps.cumsum(1) % 5
    x = F.one_hot(tokens.repeat_interleave(each, 1), 6).float()
    return x + 0.2 * torch.randn(x.shape), tokens


def aligned(model, x, tokens):
    scores = model(x).transpose(0, 1)
    lengths = [torch.full((len(x),), length) for length in (len(scores), tokens.shape[1])]
    return F.ctc_loss(scores, tokens, *lengths, zero_infinity=True)


@program("loss_not_falling")
def an_alignment_with_fewer_frames_than_tokens(mended, watch):
    model = Hears((2, 2) if mended else (4, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    fit(watch, model, optimizer, batches(*spoken(), steps=150), aligned)


@program("loss_not_falling")
def an_alignment_of_tokens_that_come_twice(mended, watch):
    """Eight frames are as many as tokens, and a pause is to stand between two that are the same."""
    tokens = torch.randint(1, 6, (320, 4)).repeat_interleave(2, 1)
    x = F.one_hot(tokens.repeat_interleave(4, 1), 6).float()
    x[:, ::8] = F.one_hot(torch.tensor(0), 6).float()
    x += 0.1 * torch.randn(x.shape)
    model = Hears((1,) if mended else (4,))
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    fit(watch, model, optimizer, batches(x, tokens, steps=120), aligned)
