"""Programs as people ask about them: faults of optimizer, wiring and network.

Written before any was judged, by a writer who had not read the rules.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import asked, batches, fit, of_output
from tests.usual_step import descend

TOO_LARGE = (
    "update_too_large",
    "loss_diverged: lr",
    "dead_units: optimizer.lr",
    "saturated: smaller optimizer.lr",
    "not_finite: smaller optimizer.lr",
)
AFTER_LARGE = (
    "gradient_spike",
    "exploding_gradient",
    "dead_units",
    "collapsed",
    "idle",
    "saturated",
    "not_finite",
    "loss_not_falling",
    "vanishing_gradient",
    "labels_without_signal",
    "biased",
    "no_gradient",
)
STILL = (
    "loss_not_falling",
    "update_too_small",
    "labels_without_signal",
    "stalled",
    "no_gradient",
    "vanishing_gradient",
)


@asked(
    "update_too_small",
    also=("loss_not_falling: times what it is", "loss_not_falling: times larger"),
    follows=("stalled",),
)
def adadelta_as_if_it_were_adam(mended, watch):
    x, y = toys.blobs(classes=4, features=16)
    model = nn.Sequential(
        nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)
    )
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0 if mended else 1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=300), of_output(F.cross_entropy))


@asked("update_too_large", also=TOO_LARGE, follows=AFTER_LARGE)
def rate_and_momentum_exchanged(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(
        nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1)
    )
    optimizer = torch.optim.SGD(model.parameters(), *((0.01, 0.9) if mended else (0.9, 0.01)))
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(F.mse_loss))


class Sentiment(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(60, 16)
        self.lstm = nn.LSTM(16, 32, batch_first=True)
        self.fc = nn.Linear(32, 3)

    def forward(self, x):
        out, _ = self.lstm(self.embedding(x))
        return self.fc(out[:, -1])


@asked("update_too_large", also=TOO_LARGE, follows=AFTER_LARGE)
def rmsprop_of_a_tenth(mended, watch):
    x, y = toys.phrases()
    model = Sentiment()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.003 if mended else 0.3)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@asked("update_too_large", also=TOO_LARGE, follows=AFTER_LARGE)
def adam_of_a_tenth_on_convolutions(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3 if mended else 0.1)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.cross_entropy))


@asked("weights_decay_to_zero", follows=("collapsed", "idle", *STILL, "dead_units"))
def weight_decay_of_a_half(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    model = nn.Sequential(
        nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003, weight_decay=1e-4 if mended else 0.5)
    fit(watch, model, optimizer, batches(x, y, steps=300), of_output(F.cross_entropy))


class Dense(nn.Module):
    """A layer of one's own."""

    def __init__(self, inputs, outputs, mended):
        super().__init__()
        start = (
            torch.randn(inputs, outputs) / inputs**0.5 if mended else torch.rand(inputs, outputs)
        )
        self.w, self.b = nn.Parameter(start), nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return x @ self.w + self.b


@asked(
    "saturated",
    also=(
        *("overconfident_start", "collapsed: init", "exploding_gradient: init"),
        "biased: weights",
    ),
    follows=(
        "collapsed",
        "idle",
        "loss_not_falling",
        "vanishing_gradient",
        *AFTER_LARGE,
        "update_too_small",
    ),
)
def weights_of_rand_instead_of_randn(mended, watch):
    x, y = toys.pictures(classes=4)
    x = x.flatten(1) if not mended else (x.flatten(1) - 0.3) / 0.3
    model = nn.Sequential(
        Dense(64, 100, mended), nn.Tanh(), Dense(100, 100, mended), nn.Tanh(), Dense(100, 4, mended)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@asked("not_registered", also=("not_optimized",), follows=STILL)
def hidden_layers_in_a_list(mended, watch):
    x, y = toys.ring()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            layers = [nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 32)]
            self.layers = nn.ModuleList(layers) if mended else layers
            self.out = nn.Linear(32, 2)

        def forward(self, x):
            for layer in self.layers:
                x = F.relu(layer(x))
            return self.out(x)

    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@asked("not_optimized", follows=STILL)
def a_new_head_after_the_optimizer(mended, watch):
    x, y = toys.pictures()
    body = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
    model = nn.Sequential(body, nn.Linear(288, 1000))
    for parameter in body.parameters():
        parameter.requires_grad = False
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model[1] = nn.Linear(288, 4)
    if mended:
        optimizer = torch.optim.Adam(model[1].parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.cross_entropy))


@asked("no_gradient", follows=STILL)
def zero_grad_after_backward(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    with watch(model) as scope:
        for batch_x, batch_y in batches(x, y, steps=200):
            if mended:
                optimizer.zero_grad()
            loss = F.mse_loss(model(batch_x), batch_y)
            loss.backward()
            if not mended:
                optimizer.zero_grad()
            optimizer.step()
            scope.step(loss)


@asked("in_evaluation_mode")
def never_back_from_validation(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(256, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    model.train()
    with watch(model) as scope:
        for _ in range(10):
            if mended:
                model.train()
            for batch_x, batch_y in batches(x[:400], y[:400], steps=12):
                descend(scope, optimizer, F.cross_entropy(model(batch_x), batch_y))
            model.eval()
            with torch.no_grad():
                model(x[400:])


@asked(
    "dropout_high",
    follows=("loss_not_falling", "labels_without_signal", "gradient_spike", "collapsed"),
)
def a_share_to_keep_given_as_one_to_drop(mended, watch):
    x, y = toys.blobs(classes=4, features=10)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(10, 64), nn.Linear(64, 64), nn.Linear(64, 4)
            self.drop1, self.drop2 = (nn.Dropout(0.1 if mended else 0.9) for _ in range(2))

        def forward(self, x):
            x = self.drop1(F.relu(self.fc1(x)))
            return self.fc3(self.drop2(F.relu(self.fc2(x))))

    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(F.cross_entropy))


@asked("learning_rate_gone", follows=STILL)
def a_rate_divided_in_every_batch(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(
        optimizer, step_size=100 if mended else 1, gamma=0.1
    )
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy), scheduler)


@asked(
    "update_too_small",
    also=(
        "clipped_too_far",
        "loss_not_falling: times what it is",
        "loss_not_falling: times larger",
        "update_too_small: clip",
        "loss_not_falling: clip",
    ),
    follows=("stalled",),
)
def clipped_to_a_ten_thousandth(mended, watch):
    x, y = toys.waves()
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(model) as scope:
        for batch_x, batch_y in batches(x, y, steps=250):
            optimizer.zero_grad()
            loss = F.mse_loss(model(batch_x), batch_y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0 if mended else 1e-4)
            optimizer.step()
            scope.step(loss)


@asked(
    "vanishing_gradient",
    also=("softmax_hidden", "idle", "collapsed: softmax", "saturated: softmax"),
    follows=(*STILL, "collapsed"),
)
def softmax_as_a_hidden_function(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    layers = []
    for inputs in (10, 64, 64):
        layers += [nn.Linear(inputs, 64), nn.ReLU() if mended else nn.Softmax(dim=1)]
    model = nn.Sequential(*layers, nn.Linear(64, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(F.cross_entropy))


@asked("sequence_over_batch", follows=("labels_without_signal", "loss_not_falling"))  # made since
def a_batch_taken_for_the_sequence(mended, watch):
    x, y = toys.phrases()

    class Topic(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(60, 16)
            self.lstm = nn.LSTM(16, 32, batch_first=mended)
            self.fc = nn.Linear(32, 3)

        def forward(self, x):
            out, _ = self.lstm(self.embedding(x))
            return self.fc(out[:, -1])

    model = Topic()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@asked("not_registered", follows=(*STILL, "collapsed"))
def an_embedding_made_in_the_forward(mended, watch):
    x, y = toys.phrases()

    class Topic(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(60, 16)
            self.fc1, self.fc2 = nn.Linear(16, 32), nn.Linear(32, 3)

        def forward(self, x):
            embedding = self.embedding if mended else nn.Embedding(60, 16)
            return self.fc2(F.relu(self.fc1(embedding(x).mean(1))))

    model = Topic()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))
