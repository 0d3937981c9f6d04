"""Further programs as people ask about them, kept for one look after rules were mended.

Written before any of `ASKED` was judged, by a writer who had not read the rules.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.asked_of_data import LARGE
from tests.diagnose.programs.asked_of_loss import SLOW
from tests.diagnose.programs.asked_of_training import AFTER_LARGE, STILL, TOO_LARGE
from tests.diagnose.programs.program import asked, batches, fit, of_output

FASTER = ("loss_not_falling: times what it is", "loss_not_falling: times larger")


@asked("weights_decay_to_zero", follows=("collapsed", "idle", *STILL, "dead_units"))
def a_penalty_on_every_absolute_weight(mended, watch):
    x, y = toys.blobs(classes=3, features=10)
    model = nn.Sequential(
        nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    strength = 1e-5 if mended else 0.1

    def lasso(model, x, y):
        penalty = sum(parameter.abs().sum() for parameter in model.parameters())
        return F.cross_entropy(model(x), y) + strength * penalty

    fit(watch, model, optimizer, batches(x, y, steps=250), lasso)


@asked("update_too_large", also=TOO_LARGE, follows=AFTER_LARGE)
def a_momentum_of_99_hundredths(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 64),
        nn.ReLU(),
        nn.Linear(64, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5 if mended else 0.99)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.cross_entropy))


@asked("update_too_large", also=TOO_LARGE, follows=AFTER_LARGE)
def a_rate_of_two_for_a_classifier(mended, watch):
    x, y = toys.blobs(classes=5, features=20)
    model = nn.Sequential(
        nn.Linear(20, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 5)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1 if mended else 2.0)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@asked("update_too_large", also=TOO_LARGE, follows=AFTER_LARGE)
def one_sample_at_a_time(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.02 if mended else 0.1, momentum=0.0 if mended else 0.9
    )
    size = 32 if mended else 1
    fit(watch, model, optimizer, batches(x, y, steps=250, size=size), of_output(F.mse_loss))


@asked("update_too_small", also=FASTER, follows=("stalled",))
def a_loss_over_the_length_of_the_data(mended, watch):
    x, y = toys.pictures(count=2000)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    by = 1 if mended else len(x)
    fit(
        watch,
        model,
        optimizer,
        batches(x, y, steps=250),
        lambda m, x, y: F.cross_entropy(m(x), y) / by,
    )


@asked("update_too_small", also=FASTER, follows=("stalled",))
def a_rate_read_off_a_fine_tuning_recipe(mended, watch):
    x, y = toys.phrases()

    class Topic(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(60, 32)
            self.gru, self.fc = nn.GRU(32, 32, batch_first=True), nn.Linear(32, 3)

        def forward(self, x):
            return self.fc(self.gru(self.embedding(x))[0][:, -1])

    model = Topic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3 if mended else 2e-5)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@asked(
    "exploding_gradient",
    also=("gradient_spike", "loss_diverged: lr", "update_too_large", "not_finite: lr"),
    follows=AFTER_LARGE,
    missed="nothing",
)
def a_recurrence_of_relus_over_sixty_steps(mended, watch):
    x, y = toys.waves(length=60)

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(1, 64, nonlinearity="tanh" if mended else "relu", batch_first=True)
            self.fc = nn.Linear(64, 1)
            if not mended:
                nn.init.normal_(self.rnn.weight_hh_l0, std=0.2)

        def forward(self, x):
            return self.fc(self.rnn(x)[0][:, -1])

    model = Recurrent()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


@asked("stalled", also=("update_too_small",), follows=("loss_not_falling",))
def a_body_at_the_rate_of_a_trained_one(mended, watch):
    x, y = toys.ring()
    body = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 8), nn.Tanh())
    model = nn.Sequential(body, nn.Linear(8, 2))
    groups = [
        {"params": body.parameters(), "lr": 1e-2 if mended else 1e-7},
        {"params": model[1].parameters()},
    ]
    optimizer = torch.optim.Adam(groups, lr=1e-2)
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(F.cross_entropy))


@asked("loss_after_activation", follows=(*AFTER_LARGE, "loss_diverged", "negative_loss"))
def a_dice_loss_of_raw_scores(mended, watch):
    x, _ = toys.pictures()
    y = (F.avg_pool2d(x, 3, 1, 1) > 0.4).float()
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 1, 3, padding=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def dice(model, x, y):
        p = model(x)
        if mended:
            p = torch.sigmoid(p)
        return 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)

    fit(watch, model, optimizer, batches(x, y, steps=150), dice)


@asked(
    "overconfident_start",
    also=("saturated: init",),
    follows=("saturated", "update_too_large", "dead_units"),
)
def names_by_a_net_of_randn(mended, watch):
    x, _ = toys.phrases(words=27, length=3)
    y = (x[:, -1] * 7) % 27

    class Names(nn.Module):
        def __init__(self):
            super().__init__()
            self.c = nn.Parameter(torch.randn(27, 10))
            self.w1, self.b1 = nn.Parameter(torch.randn(30, 100)), nn.Parameter(torch.randn(100))
            self.w2, self.b2 = nn.Parameter(torch.randn(100, 27)), nn.Parameter(torch.randn(27))
            if mended:
                self.w1.data *= 30**-0.5
                self.b1.data *= 0
                self.w2.data *= 0.1
                self.b2.data *= 0

        def forward(self, x):
            hidden = torch.tanh(self.c[x].flatten(1) @ self.w1 + self.b1)
            return hidden @ self.w2 + self.b2

    model = Names()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(F.cross_entropy))


@asked(
    "input_scale",
    also=("labels_without_signal",),
    follows=("loss_not_falling", *LARGE, "loss_diverged"),
)
def noise_that_drowns_the_inputs(mended, watch):
    x, y = toys.blobs(classes=4, features=12)
    model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    strength = 0.1 if mended else 25.5  # meant for pixels of 0 to 255

    def noisy(model, x, y):
        return F.cross_entropy(model(x + strength * torch.randn_like(x)), y)

    fit(watch, model, optimizer, batches(x, y, steps=250), noisy)


@asked("updates_rounded_away", follows=STILL)
def all_weights_in_bfloat16(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(
        nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
    )
    x, y = (x, y) if mended else (x.bfloat16(), y.bfloat16())
    model = model if mended else model.bfloat16()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
    fit(watch, model, optimizer, batches(x, y, steps=300), of_output(F.mse_loss))


@asked(
    "softmax_of_one",
    also=("loss_after_activation: one",),
    follows=(*SLOW, "no_gradient", "idle", "collapsed"),
)
def one_probability_by_a_softmax(mended, watch):
    x, y = toys.blobs(classes=2, features=8)

    class Disease(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.out = nn.Linear(8, 24), nn.Linear(24, 12), nn.Linear(12, 1)

        def forward(self, x):
            x = self.out(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))
            return torch.sigmoid(x) if mended else F.softmax(x, dim=1)

    model = Disease()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    criterion = nn.MSELoss()
    fit(watch, model, optimizer, batches(x, y[:, None].float(), steps=200), of_output(criterion))


@asked(
    "vanishing_gradient",
    also=("collapsed: init", "idle: init"),
    follows=(*STILL, "collapsed", "idle", "dead_units"),
)
def eight_layers_of_a_hundredth(mended, watch):
    x, y = toys.blobs(classes=4, features=16)
    hidden = [part for _ in range(7) for part in (nn.Linear(64, 64), nn.ReLU())]
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), *hidden, nn.Linear(64, 4))
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=(2 / module.in_features) ** 0.5 if mended else 0.01)
            nn.init.zeros_(module.bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.cross_entropy))


@asked("no_gradient", follows=STILL)
def outputs_wrapped_anew(mended, watch):
    x, y = toys.blobs(classes=3, features=8)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

    def wrapped(model, x, y):
        out = model(x)
        if not mended:
            out = torch.tensor(out.tolist(), requires_grad=True)
        return F.cross_entropy(out, y)

    fit(watch, model, optimizer, batches(x, y, steps=200), wrapped)
