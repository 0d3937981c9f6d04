"""Faults of one task's term where a loss adds up those of several."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_two_heads import TwoHeads
from tests.diagnose.programs.program import batches, fit, program


@program("loss_broadcast")
def an_age_as_a_column_beside_a_kind(mended, watch):
    x, kind = toys.blobs(classes=4, features=12)
    age = torch.tanh(x[:, 0] - x[:, 1]) + 0.3 * x[:, 2]
    model = TwoHeads(12, 4, 1)

    def loss(model, x, kind, age):
        scores, guess = model(x)
        return F.cross_entropy(scores, kind) + F.mse_loss(
            guess.squeeze(1) if mended else guess, age
        )

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, kind, age), loss)


@program("loss_broadcast")
def a_row_of_depths_against_a_column_beside_labels(mended, watch):
    x, kind = toys.pictures()
    depth = x.flatten(1).mean(1, keepdim=True) * 8 + kind[:, None].float() / 2
    bits = F.one_hot(kind, 4).float()
    body = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    model = nn.ModuleDict({"body": body, "labels": nn.Linear(128, 4), "depth": nn.Linear(128, 1)})

    def loss(model, x, bits, depth):
        seen = model["body"](x)
        far = model["depth"](seen)
        far = far if mended else far.flatten()
        term = F.huber_loss(far, depth, delta=0.5)
        return F.binary_cross_entropy_with_logits(model["labels"](seen), bits) + 0.3 * term

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, bits, toys.standard(depth)), loss)


RATE = ("loss_not_falling: optimizer.lr", "update_too_small")


@program("loss_not_falling", also=RATE)
def two_tasks_at_a_thousandth_of_a_rate(mended, watch):
    x, kind = toys.blobs(classes=6, features=16)
    size = torch.sin(x[:, :1]) + 0.5 * x[:, 1:2]
    model = TwoHeads(16, 6, 1)

    def loss(model, x, kind, size):
        scores, guess = model(x)
        return F.cross_entropy(scores, kind) + 2 * F.smooth_l1_loss(guess, size)

    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3 if mended else 2e-6)
    fit(watch, model, optimizer, batches(x, kind, size, steps=250), loss)


@program("loss_not_falling", also=RATE)
def two_questions_of_a_picture_by_tiny_steps(mended, watch):
    x, kind = toys.pictures(count=600)
    bright = (x.flatten(1).mean(1, keepdim=True) - 0.325) / 0.02
    body = nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.GELU(), nn.Flatten(), nn.Linear(432, 32), nn.GELU()
    )

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.kind, self.bright = body, nn.Linear(32, 4), nn.Linear(32, 1)

        def forward(self, x):
            seen = self.body(x)
            return self.kind(seen), self.bright(seen)

    def loss(model, x, kind, bright):
        scores, guess = model(x)
        return F.cross_entropy(scores, kind) + F.mse_loss(guess, bright)

    model = Both()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03 if mended else 2e-4)
    fit(watch, model, optimizer, batches(x, kind, bright, steps=250), loss)
