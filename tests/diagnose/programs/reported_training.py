"""Programs as forums and bug reports describe them: faults of optimizer, wiring and network.

Written before any was judged.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import asked, batches, fit
from tests.diagnose.programs.reported_data import LARGE_STEPS, SLOW


def classify(model, x, y):
    return F.cross_entropy(model(x), y)


def error(model, x, y):
    return F.mse_loss(model(x), y)


@asked("not_optimized", follows=(*SLOW, "stalled", "no_gradient"))
def step_without_its_parentheses(mended, watch):
    x, y = toys.blobs()
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with watch(model) as scope:
        for batch_x, batch_y in batches(x, y, steps=150):
            optimizer.zero_grad()
            loss = classify(model, batch_x, batch_y)
            loss.backward()
            optimizer.step() if mended else optimizer.step
            scope.step(loss)


@asked("update_too_large", also=("optimizer_averages: betas", "loss_diverged"), follows=LARGE_STEPS)
def adam_with_its_betas_exchanged(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(
        nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
    )
    betas = (0.9, 0.999) if mended else (0.999, 0.9)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=betas)
    fit(watch, model, optimizer, batches(x, y, steps=300), error)


@asked("loss_not_falling: lr", also=("optimizer_averages: eps", "update_too_small"), follows=SLOW)
def adam_with_an_epsilon_of_ten(mended, watch):
    x, y = toys.blobs(classes=5, features=12)
    model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 5))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003, eps=1e-8 if mended else 10.0)
    fit(watch, model, optimizer, batches(x, y, steps=200), classify)


@asked("learning_rate_gone", also=("loss_not_falling: lr", "update_too_small"), follows=SLOW)
def a_plateau_of_what_should_rise(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="min" if mended else "max", patience=5
    )
    with watch(model) as scope:
        for epoch in range(250):
            total = 0.0
            (batch_x, batch_y), *_ = batches(x, y, steps=1, size=256)
            optimizer.zero_grad()
            loss = error(model, batch_x, batch_y)
            loss.backward()
            optimizer.step()
            total += loss.item()
            if epoch % 4 == 0 or not mended:
                plateau.step(total)
            scope.step(loss)


@asked("dropout_high", follows=SLOW)
def dropout_after_the_last_layer(mended, watch):
    x, y = toys.blobs(classes=6, features=12)
    layers = [nn.Linear(12, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 6), nn.Dropout(0.5)]
    model = nn.Sequential(*(layers[:-1] if mended else layers))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=200), classify)


@asked("linear_chain", follows=SLOW)
def a_leaky_relu_with_a_slope_of_true(mended, watch):
    x, y = toys.surface()

    def function():
        return nn.LeakyReLU(inplace=True) if mended else nn.LeakyReLU(True)

    model = nn.Sequential(
        nn.Linear(6, 64), function(), nn.Linear(64, 64), function(), nn.Linear(64, 1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=300), error)


class Reader(nn.Module):
    """Reads a sequence and answers from one of its steps."""

    def __init__(self, kind, inputs, outputs, step):
        super().__init__()
        self.rnn, self.fc = kind(inputs, 32, batch_first=True), nn.Linear(32, outputs)
        self.step = step

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, self.step])


@asked("no_gradient", follows=SLOW)
def the_first_step_of_a_recurrence_for_the_last(mended, watch):
    x, y = toys.waves(length=16)
    model = Reader(nn.LSTM, 1, 1, -1 if mended else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    fit(watch, model, optimizer, batches(x, y, steps=250), error)


@asked("no_gradient", follows=SLOW)
def sequences_of_a_single_step(mended, watch):
    steps = torch.randn(1024, 12)
    y = (steps.cumsum(1).amax(1) > 3).long()
    x = steps[:, :, None] if mended else steps[:, None, :]
    model = Reader(nn.GRU, 1 if mended else 12, 2, -1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    fit(watch, model, optimizer, batches(x, y, steps=200), classify)


@asked("no_gradient", follows=SLOW)
def checkpointed_blocks_behind_a_frozen_embedding(mended, watch):
    x, y = toys.phrases()

    class Topic(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(60, 32).requires_grad_(False)
            self.blocks = nn.ModuleList(
                nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
                for _ in range(2)
            )
            self.fc = nn.Linear(32, 3)

        def forward(self, x):
            x = self.embedding(x).mean(1)
            for block in self.blocks:
                x = x + checkpoint(block, x, use_reentrant=not mended)
            return self.fc(x)

    model = Topic()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=150), classify)


@asked("vanishing_gradient", also=("collapsed",), follows=SLOW)
def thirty_layers_with_their_usual_weights(mended, watch):
    x, y = toys.blobs(features=12)
    layers = [layer for _ in range(30) for layer in (nn.Linear(32, 32), nn.ReLU())]
    if mended:
        layers = [Skip() for _ in range(15)]
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), *layers, nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    fit(watch, model, optimizer, batches(x, y, steps=200), classify)


class Skip(nn.Module):
    """A block of two layers and a way around it."""

    def __init__(self):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(32), nn.Linear(32, 32), nn.Linear(32, 32)

    def forward(self, x):
        return x + self.down(F.relu(self.up(self.norm(x))))


@asked("collapsed", follows=(*SLOW, "idle", "no_gradient"), missed="idle")
def group_norm_of_single_numbers(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(2 if mended else 1),
        nn.Conv2d(16, 16, 1),
        nn.GroupNorm(2 if mended else 16, 16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 if mended else 16, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=200), classify)


@asked("not_finite", follows=("loss_not_finite",))
def a_sentence_that_is_masked_whole(mended, watch):
    x, y = toys.phrases()
    length = torch.randint(1 if mended else 0, 9, (len(x),))
    padded = torch.arange(8) >= length[:, None]

    class Topic(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.query = nn.Embedding(60, 32), nn.Linear(32, 1)
            self.fc = nn.Linear(32, 3)

        def forward(self, x, padded):
            x = self.embedding(x)
            weight = self.query(x).squeeze(2).masked_fill(padded, -torch.inf).softmax(1)
            return self.fc((weight[:, :, None] * x).sum(1))

    model = Topic()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    fit(
        watch,
        model,
        optimizer,
        batches(x, padded, y, steps=150),
        lambda m, x, padded, y: F.cross_entropy(m(x, padded), y),
    )
