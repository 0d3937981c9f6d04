"""Programs that give a layer too little: one sample over and over, two values to normalise, a
gradient that has faded over time, a rate that a schedule has taken away.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Convolutional, cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, of_output, practice, program
from tests.usual_step import descend


class Reader(nn.Module):
    def __init__(self, words=60, classes=3):
        super().__init__()
        self.words = nn.Embedding(words, 16)
        self.rnn = nn.GRU(16, 24, batch_first=True)
        self.out = nn.Linear(24, classes)

    def forward(self, tokens):
        return self.out(self.rnn(self.words(tokens))[0].mean(1))


class AtTheEnd(nn.Module):
    """Reads the output of a recurrence at one step of each sequence."""

    def __init__(self, kind, inputs, hidden, outputs):
        super().__init__()
        self.rnn = kind(inputs, hidden, batch_first=True)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, sequences, last):
        states, _ = self.rnn(sequences)
        return self.out(states[torch.arange(len(last)), last])


@program("inputs_repeat", follows=("collapsed",))
def a_vocabulary_of_another_language(mended, watch):
    tokens, topic = toys.phrases()
    unknown = torch.full_like(tokens, 1)
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(tokens if mended else unknown, topic, steps=150)
    fit(watch, model, optimizer, data, cross_entropy)


@program("collapsed")
def a_dataset_that_always_gives_its_first_picture(mended, watch):
    x, y = toys.pictures()
    shown = x if mended else x[:1].expand_as(x)
    model = Convolutional()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(shown, y, steps=150), cross_entropy)


@program("stalled", first=False, also=("padding_read", "collapsed: padding"))
def the_state_behind_a_long_padding(mended, watch):
    lengths = torch.randint(4, 9, (800,))
    x = torch.randn(800, 100, 2) * (torch.arange(100) < lengths[:, None])[..., None]
    y = (x[:, :, 0].sum(1) > 0).long()
    model = AtTheEnd(nn.GRU, 2, 16, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    last = lengths - 1 if mended else torch.full_like(lengths, 99)
    data = batches(x, last, y, steps=250)
    fit(watch, model, optimizer, data, lambda net, x, at, y: F.cross_entropy(net(x, at), y))


@program("stalled", first=False, also=("padding_read", "collapsed: padding"))
def a_pulse_long_ago(mended, watch):
    x = torch.zeros(600, 80, 1)
    x[:, :3, 0] = torch.randn(600, 3)
    y = x[:, :3, 0].sum(1, keepdim=True)
    model = AtTheEnd(nn.RNN, 1, 24, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    last = torch.full((600,), 2 if mended else 79)
    data = batches(x, last, y, steps=250)
    fit(watch, model, optimizer, data, lambda net, x, at, y: F.mse_loss(net(x, at), y))


@program("norm_of_few")
def two_samples_at_a_time_through_batch_norms(mended, watch):
    x, y = toys.blobs(classes=6, features=16, apart=1.0)
    layers = []
    for width in (16, 48, 48):
        layers += [nn.Linear(width, 48), nn.BatchNorm1d(48), nn.GELU()]
    model = nn.Sequential(*layers, nn.Linear(48, 6))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    data = batches(x, y, steps=400, size=32 if mended else 2)
    fit(watch, model, optimizer, data, of_output(F.cross_entropy))


@program("norm_of_few")
def an_autoencoder_that_gets_pairs_and_normalises_its_code(mended, watch):
    x, _ = toys.blobs(classes=8, features=24)
    model = nn.Sequential(
        *(nn.Linear(24, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8), nn.BatchNorm1d(8)),
        *(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 24)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    data = batches(x, x, steps=400, size=32 if mended else 2)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


@program("norm_of_few")
def a_layer_norm_of_the_one_number_that_comes_out(mended, watch):
    x, y = toys.surface()
    last = [nn.Linear(32, 1)] if mended else [nn.Linear(32, 1), nn.LayerNorm(1)]
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), *last)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=240), of_output(F.mse_loss))


class SeriesEncoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.widen = nn.Linear(1, width) if width > 1 else nn.Identity()
        self.block = nn.TransformerEncoderLayer(width, 1, 32, dropout=0.0, batch_first=True)
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        return self.head(self.block(self.widen(x)).mean(1))


@program("norm_of_few")
def a_transformer_of_width_one_on_a_series(mended, watch):
    x = torch.randn(800, 12, 1)
    y = (x.square().mean((1, 2)) > 1).long()
    model = SeriesEncoder(16 if mended else 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=240), of_output(F.cross_entropy))


@program("learning_rate_gone")
def an_inverse_decay_stepped_in_every_batch(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    of_steps = 1000 if mended else 1  # what was meant to be epochs
    fading = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 / (1 + (k / of_steps) ** 2))
    fit(watch, model, optimizer, batches(x, y, steps=240), of_output(F.mse_loss), fading)


@program("learning_rate_gone")
def a_tenth_of_the_rate_after_every_ten_batches(mended, watch):
    tokens, topic = toys.phrases()
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tenths = torch.optim.lr_scheduler.StepLR(optimizer, 200 if mended else 10, 0.1)
    fit(watch, model, optimizer, batches(tokens, topic, steps=240), cross_entropy, tenths)


@program("learning_rate_gone")
def a_power_of_the_factor_upon_the_rate_of_the_last_epoch(mended, watch):
    x, y = toys.blobs(classes=8, features=16, apart=0.8)
    model = perceptron(16, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    with watch(model) as scope:
        for step, (inputs, labels) in enumerate(batches(x, y, steps=300)):
            if step % 20 == 0:
                for group in optimizer.param_groups:
                    before = 0.02 if mended else group["lr"]
                    group["lr"] = before * 0.85 ** (step // 20)
            descend(scope, optimizer, F.cross_entropy(model(inputs), labels))


@program("learning_rate_gone")
def a_decay_that_is_applied_to_what_it_has_made(mended, watch):
    tokens, topic = toys.phrases()
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    group = optimizer.param_groups[0]
    with watch(model) as scope:
        for step, (inputs, labels) in enumerate(batches(tokens, topic, steps=300)):
            epoch, begun = divmod(step, 10)
            if begun == 0:
                group["lr"] = (5e-4 if mended else group["lr"]) * 0.95**epoch
            descend(scope, optimizer, F.cross_entropy(model(inputs), labels))


@practice
def a_rare_class_of_a_large_weight(watch):
    x = torch.randn(3000, 8)
    y = (torch.rand(3000) < 0.02).long()
    x[y == 1] += 1.0
    model = perceptron(8, 2)
    weight = torch.tensor([1.0, 49.0])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    weighted = nn.CrossEntropyLoss(weight=weight, reduction="none")
    data = batches(x, y, steps=250, size=48)
    fit(watch, model, optimizer, data, lambda net, x, y: weighted(net(x), y).mean())


@practice
def rare_events_with_a_positive_weight(watch):
    x = torch.randn(3000, 10)
    y = (torch.rand(3000, 1) < 0.012).float()
    x += 1.2 * y
    model = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, 1))
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(80.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=250, size=64), of_output(loss))


def in_epochs(watch, model, optimizer, data, loss_of, warm_up, mended):
    """Thirty epochs of ten batches, with a warm-up of two hundred steps; where it is not mended,
    its scheduler is made in each epoch.
    """
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_up)
    with watch(model) as scope:
        for _ in range(30):
            if not mended:
                scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_up)
            for inputs, targets in batches(*data, steps=10):
                optimizer.zero_grad()
                loss = loss_of(model(inputs), targets)
                loss.backward()
                optimizer.step()
                scheduler.step()
                scope.step(loss)


@program("learning_rate_gone")
def a_scheduler_that_is_made_in_each_epoch(mended, watch):
    model = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 8))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    data = toys.blobs(classes=8, features=16, apart=0.8)

    def warm_up(step):
        return min(1.0, (step + 1) / 200) ** 2

    in_epochs(watch, model, optimizer, data, F.cross_entropy, warm_up, mended)


@program("learning_rate_gone")
def a_warm_up_that_counts_the_batches_of_an_epoch(mended, watch):
    model = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def warm_up(step):
        return min(1.0, (step if mended else step % 10) / 200)

    in_epochs(watch, model, optimizer, toys.surface(), F.mse_loss, warm_up, mended=True)


@program("running_statistics")
def a_momentum_of_another_framework(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    norms = [nn.BatchNorm1d(24, momentum=0.01 if mended else 0.99) for _ in range(2)]
    layers = [nn.Linear(10, 24), norms[0], nn.ReLU(), nn.Linear(24, 24), norms[1], nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(24, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=80, size=10), cross_entropy)


@program("running_statistics")
def statistics_of_two_small_batches(mended, watch):
    x, y = toys.surface()
    norm = nn.BatchNorm1d(32, momentum=0.1 if mended else 0.7)
    model = nn.Sequential(nn.Linear(6, 32), norm, nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=60, size=12), of_output(F.mse_loss))


@program("labels_without_signal")
def heights_of_tiles_from_two_units(mended, watch):
    x = 4 * torch.rand(2048, 2)
    y = 2.0 * (x.long().sum(1, keepdim=True) % 2) - 1
    units = 64 if mended else 2
    sizes = (nn.Linear(2, units), nn.Tanh(), nn.Linear(units, units), nn.Tanh())
    model = nn.Sequential(*sizes, nn.Linear(units, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x - 2, y, steps=400, size=64), of_output(F.mse_loss))


@program("labels_without_signal")
def a_chessboard_from_three_units(mended, watch):
    x = 4 * torch.rand(2048, 2)
    y = (x.long().sum(1) % 2).long()
    units = 64 if mended else 3
    sizes = (nn.Linear(2, units), nn.Tanh(), nn.Linear(units, units), nn.Tanh())
    model = nn.Sequential(*sizes, nn.Linear(units, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x - 2, y, steps=400), cross_entropy)
