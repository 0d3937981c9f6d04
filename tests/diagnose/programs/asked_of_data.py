"""Programs as people ask about them: faults of inputs, targets and labels.

Written before any was judged, by a writer who had not read the rules.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import asked, batches, fit, of_output

SCALE = ("loss_not_falling", "update_too_large", "update_too_small", "dead_units", "collapsed")
LARGE = (*SCALE, "gradient_spike", "exploding_gradient", "overconfident_start", "saturated", "idle")


@asked("target_scale", also=("input_scale",), follows=(*LARGE, "loss_diverged", "biased"))
def house_prices_in_dollars(mended, watch):
    size, rooms = 1800 + 700 * torch.randn(600), torch.randint(1, 7, (600,)).float()
    year = torch.randint(1920, 2021, (600,)).float()
    price = 120 * size + 9_000 * rooms + 1_500 * (year - 1920) + 20_000 * torch.randn(600)
    x, y = torch.stack([size, rooms, year], 1), price[:, None]
    if mended:
        x, y = toys.standard(x), toys.standard(y)
    model = nn.Sequential(
        nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss = nn.MSELoss()
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(loss))


@asked("input_scale", follows=(*LARGE, "loss_diverged", "labels_without_signal", "no_gradient"))
def wine_as_it_comes(mended, watch):
    z, y = toys.blobs(classes=3, features=6, count=178)
    usual = torch.tensor([13.0, 2.3, 2.4, 19.5, 100.0, 750.0])
    x = usual + torch.tensor([0.8, 1.1, 0.3, 3.3, 14.0, 310.0]) * z
    if mended:
        x = toys.standard(x)

    class Wine(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(6, 32), nn.Linear(32, 16), nn.Linear(16, 3)

        def forward(self, x):
            return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))

    model = Wine()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    fit(watch, model, optimizer, batches(x, y, steps=250, size=16), of_output(F.cross_entropy))


@asked("input_scale", follows=(*LARGE, "loss_diverged", "labels_without_signal"))
def photos_of_bytes(mended, watch):
    x, y = toys.pictures(count=512)
    x = (255 * x).round()
    if mended:
        x = (x / 255 - 0.45) / 0.25
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(144, 64),
        nn.ReLU(),
        nn.Linear(64, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.cross_entropy))


@asked("input_scale", follows=(*LARGE, "loss_diverged", "not_finite"))
def a_unix_time_among_the_features(mended, watch):
    hour = 24 * torch.rand(800)
    day = torch.randint(0, 300, (800,)).float()
    x = torch.stack([1.6e9 + 86_400 * day + 3_600 * hour, torch.randn(800), torch.randn(800)], 1)
    y = (x[:, 1] + 0.5 * x[:, 2])[:, None]
    if mended:
        x[:, 0] = torch.sin(6.28 * hour / 24)
    model = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=200, size=64), of_output(F.mse_loss))


@asked(
    "input_scale",
    follows=("loss_not_falling", "labels_without_signal", "update_too_small", "collapsed"),
)
def one_mean_for_all_columns(mended, watch):
    z = torch.randn(1000, 5)
    y = (z[:, 0] + z[:, 1] * z[:, 2] > 0).long()
    x = z.sigmoid()
    x[:, 4] = 52_000 + 9_000 * z[:, 4]  # a salary
    x = toys.standard(x) if mended else (x - x.mean()) / x.std()
    model = nn.Sequential(
        nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=300), of_output(F.cross_entropy))


@asked(
    "target_out_of_range",
    also=("target_scale",),
    follows=(
        "saturated",
        "loss_not_falling",
        "vanishing_gradient",
        "biased",
        "idle",
        "collapsed",
        "no_gradient",
        "update_too_small",
        "dead_units",
    ),
)
def an_age_through_a_tanh(mended, watch):
    x = torch.randn(800, 8)
    age = (40 + 12 * x[:, :1] + 8 * x[:, 1:2].abs()).clamp(1, 90)

    class Age(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.last = nn.Linear(8, 32), nn.Linear(32, 1)

        def forward(self, x):
            out = self.last(F.relu(self.hidden(x)))
            return out if mended else torch.tanh(out)

    model = Age()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    y = toys.standard(age) if mended else age
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(F.l1_loss))


@asked(
    "target_out_of_range",
    follows=(
        "dead_units",
        "idle",
        "collapsed",
        "vanishing_gradient",
        "no_gradient",
        "loss_not_falling",
        "update_too_small",
    ),
)
def returns_through_a_relu(mended, watch):
    x = torch.randn(1000, 10)
    y = 0.8 * torch.tanh(x[:, :1] - x[:, 1:2]) + 0.1 * torch.randn(1000, 1)
    layers = [nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)]
    model = nn.Sequential(*layers, *([] if mended else [nn.ReLU()]))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.SmoothL1Loss()
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(criterion))


@asked("target_scale", follows=(*LARGE, "vanishing_gradient", "biased", "loss_reduction"))
def passengers_of_an_airline(mended, watch):
    x, y = toys.waves(count=400)
    y = y if mended else 280 + 120 * y

    class Forecast(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.fc = nn.LSTM(1, 16, batch_first=True), nn.Linear(16, 1)

        def forward(self, x):
            out, _ = self.lstm(x)
            return self.fc(out[:, -1])

    model = Forecast()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.mse_loss))


@asked("labels_without_signal", follows=("loss_not_falling",), missed="nothing")  # learned by heart
def inputs_shuffled_without_their_labels(mended, watch):
    x, y = toys.blobs(classes=5, features=12, count=800)
    order = torch.randperm(len(x))
    x = x[order]
    y = y[order] if mended else y
    model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, 5))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(F.cross_entropy))


@asked(
    "one_class",
    follows=(
        "collapsed",
        "vanishing_gradient",
        "labels_without_signal",
        "no_gradient",
        "update_too_small",
    ),
)
def ratings_divided_before_the_cast(mended, watch):
    x, rating = toys.phrases(classes=4)
    y = rating if mended else (rating / 4).long()

    class Reviews(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.gru = nn.Embedding(60, 16), nn.GRU(16, 24, batch_first=True)
            self.out = nn.Linear(24, 4)

        def forward(self, x):
            _, last = self.gru(self.embed(x))
            return self.out(last[0])

    model = Reviews()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.cross_entropy))


@asked(
    "one_class",
    also=("not_shuffled", "labels_without_signal: order"),
    follows=(
        "gradient_spike",
        "loss_diverged",
        "loss_rising",
        "loss_not_falling",
        "labels_without_signal",
        "collapsed",
        "update_too_large",
        "dead_units",
    ),
)
def folders_of_pictures_read_in_order(mended, watch):
    x, y = toys.pictures(count=640)
    order = torch.randperm(640) if mended else torch.argsort(y, stable=True)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    chunks = [(x[part], y[part]) for _ in range(8) for part in order.split(32)]
    fit(watch, model, optimizer, chunks, of_output(F.cross_entropy))
