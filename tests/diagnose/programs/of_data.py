"""Programs whose fault is in what they are given: inputs, targets and labels."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program
from tests.usual_step import descend


class Convolutional(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc = nn.Linear(16 * 4, classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, series):
        states, _ = self.rnn(series)
        return self.out(states[:, -1])


class Topics(nn.Module):
    def __init__(self, classes=3, words=60, width=16):
        super().__init__()
        self.bag = nn.EmbeddingBag(words, width)
        self.out = nn.Linear(width, classes)

    def forward(self, tokens):
        return self.out(self.bag(tokens))


def perceptron(features, outputs, width=32):
    return nn.Sequential(
        *(nn.Linear(features, width), nn.ReLU()),
        *(nn.Linear(width, width), nn.ReLU()),
        nn.Linear(width, outputs),
    )


def cross_entropy(model, x, y):
    return F.cross_entropy(model(x), y)


@program("input_scale")
def photographs_as_bytes(mended, watch):
    x, y = toys.pictures()
    images = (255 * x).round()
    model = Convolutional()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(images / 255 if mended else images, y), cross_entropy)


@program("input_scale")
def houses_in_square_metres_and_years(mended, watch):
    x, price = toys.surface(features=4)
    table = x * torch.tensor([400.0, 25.0, 1.0, 900.0]) + torch.tensor([1500.0, 1970.0, 3.0, 4e3])
    if mended:
        table = (table - table.mean(0)) / table.std(0)
    model = perceptron(4, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.MSELoss()
    fit(watch, model, optimizer, batches(table, price), of_output(criterion))


@program("target_scale")
def prices_in_dollars(mended, watch):
    x, y = toys.surface()
    price = y if mended else 250_000 + 80_000 * y
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.MSELoss()
    fit(watch, model, optimizer, batches(x, price), of_output(criterion))


@program("target_scale")
def passengers_not_divided(mended, watch):
    series, following = toys.waves()
    count = following if mended else 400 + 150 * following
    model = Forecaster()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)

    def squared(m, series, count):
        return torch.mean((m(series) - count) ** 2)

    fit(watch, model, optimizer, batches(series, count), squared)


@program("target_scale")
def concentrations_in_moles(mended, watch):
    x, y = toys.surface()
    moles = y if mended else 2e-5 * y
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, moles, steps=130), of_output(nn.MSELoss()))


@program("target_out_of_range")
def standardised_targets_under_a_sigmoid(mended, watch):
    x, y = toys.surface()
    last = [] if mended else [nn.Sigmoid()]
    model = nn.Sequential(nn.Linear(6, 40), nn.Tanh(), nn.Linear(40, 1), *last)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))


class Anomaly(nn.Module):
    def __init__(self, linear_end):
        super().__init__()
        self.linear_end = linear_end
        self.first, self.second, self.last = nn.Linear(6, 32), nn.Linear(32, 32), nn.Linear(32, 1)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = self.last(F.relu(self.second(x)))
        return x if self.linear_end else F.relu(x)


@program("target_out_of_range")
def temperature_anomalies_under_a_relu(mended, watch):
    x, y = toys.surface()
    model = Anomaly(mended)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), lambda m, x, y: ((m(x) - y) ** 2).mean())


@program("labels_without_signal", also=("loss_not_falling: belongs to its input",))
def only_the_inputs_were_shuffled(mended, watch):
    x, y = toys.blobs(count=4096)
    order = torch.randperm(len(x))
    x = x[order]
    if mended:
        y = y[order]
    model = perceptron(10, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=250), cross_entropy)


@program("labels_without_signal")
def topics_joined_by_the_wrong_key(mended, watch):
    tokens, topic = toys.phrases(count=4096)
    if not mended:
        topic = topic.roll(1)
    model = Topics()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loader = ({"tokens": t, "topic": y} for t, y in batches(tokens, topic, steps=250, size=64))
    criterion = nn.CrossEntropyLoss()
    with watch(model) as scope:
        for batch in loader:
            loss = criterion(model(tokens=batch["tokens"]), batch["topic"])
            descend(scope, optimizer, loss)


@program("one_class")
def labels_truncated_to_zero(mended, watch):
    x, y = toys.pictures(classes=2)
    grade = y * 0.8 + 0.1  # as a file has them, between 0 and 1
    labels = grade.round().long() if mended else grade.long()
    model = Convolutional(classes=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, labels), cross_entropy)


@program("one_class")
def the_positive_class_never_occurs(mended, watch):
    x, y = toys.blobs(classes=2)
    positive = (y == (1 if mended else 2)).float()
    model = perceptron(10, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    criterion = nn.BCEWithLogitsLoss()
    fit(
        watch,
        model,
        optimizer,
        batches(x, positive, steps=200),
        lambda m, x, y: criterion(m(x).squeeze(1), y),
    )


@program("one_class")
def angles_cast_to_whole_numbers(mended, watch):
    x, y = toys.surface()
    steering = torch.tanh(y) * 0.95
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    targets = steering if mended else steering.long().float()
    fit(watch, model, optimizer, batches(x, targets, steps=120), of_output(F.mse_loss))


@program("one_class")
def shares_divided_as_whole_numbers(mended, watch):
    x, _ = toys.pictures()
    side = torch.stack([x[:, 0, :, :4].mean((1, 2)), x[:, 0, :4].mean((1, 2))], 1)
    bytes_of = (255 * side).int()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    targets = bytes_of / 255 if mended else bytes_of // 255
    fit(watch, model, optimizer, batches(x, targets.float(), steps=120), of_output(F.mse_loss))


@program("one_class")
def centimetres_clamped_as_metres(mended, watch):
    x, _ = toys.pictures()
    height = F.avg_pool2d(x.mean(1, keepdim=True), 3, 1, 1) - x.min() + 0.1
    stored = height / height.max() * 250
    metres = stored / 250 if mended else stored
    model = nn.Sequential(
        *(nn.Conv2d(x.shape[1], 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        nn.Conv2d(16, 1, 3, padding=1),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.HuberLoss()
    fit(watch, model, optimizer, batches(x, metres.clamp(0, 1)), of_output(criterion))


class Plain(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(16 * 16, 48), nn.ReLU(), nn.Linear(48, classes)),
        )

    def forward(self, x):
        return self.body(x)


@program("loss_not_falling", follows=("dead_units", "vanishing_gradient", "idle"))
def labels_of_a_folder_that_was_sorted_otherwise(mended, watch):
    x, y = toys.pictures(count=4096)
    if not mended:
        y = y[torch.randperm(len(y))]
    optimizer = torch.optim.SGD((model := Plain(4)).parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=250), cross_entropy)


@program("loss_not_falling", follows=("dead_units", "vanishing_gradient", "idle"))
def ratings_of_other_customers(mended, watch):
    x = torch.rand(4096, 16)
    y = (5 * torch.sigmoid(6 * (x[:, :4].mean(1) - 0.5))).long()
    if not mended:
        y = torch.randint(5, (len(y),))
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), perceptron(64, 5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=250), cross_entropy)
