"""Programs whose loss is not what its author meant."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import (
    Convolutional,
    Forecaster,
    Topics,
    cross_entropy,
    perceptron,
)
from tests.diagnose.programs.program import batches, fit, of_output, program


@program("negative_loss")
def binary_cross_entropy_without_its_minus(mended, watch):
    x, y = toys.blobs(classes=2)
    model = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1), nn.Sigmoid())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def likelihood(m, x, y):
        p = m(x).squeeze(1).clamp(1e-6, 1 - 1e-6)
        value = (y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()
        return -value if mended else value

    fit(watch, model, optimizer, batches(x, y.float()), likelihood)


@program("negative_loss")
def log_softmax_times_one_hot_without_its_minus(mended, watch):
    tokens, topic = toys.phrases()
    model = Topics()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss(m, tokens, topic):
        logp = F.log_softmax(m(tokens), dim=1)
        value = (logp * F.one_hot(topic, 3)).sum(1).mean()
        return -value if mended else value

    fit(watch, model, optimizer, batches(tokens, topic, size=64), loss)


@program("negative_loss")
def smoothed_labels_times_log_probabilities(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def loss(m, x, y):
        shares = 0.9 * F.one_hot(y, 4) + 0.025
        value = (shares * F.log_softmax(m(x), 1)).sum(1).mean()
        return -value if mended else value

    fit(watch, model, optimizer, batches(x, y), loss)


@program("negative_loss")
def a_teachers_shares_without_the_minus(mended, watch):
    x = torch.randn(1024, 12)
    shares = (2 * perceptron(12, 6)(x).detach()).softmax(1)
    model = perceptron(12, 6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def loss(m, x, shares):
        value = torch.sum(shares * F.log_softmax(m(x), dim=-1)) / len(x)
        return -value if mended else value

    fit(watch, model, optimizer, batches(x, shares), loss)


@program("loss_not_finite")
def logarithm_of_a_relu_rate(mended, watch):
    x, y = toys.surface()
    counts = torch.poisson(torch.exp(0.7 * y))
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def poisson(m, x, y):
        rate = F.softplus(m(x)) + 1e-4 if mended else F.relu(m(x))
        return (rate - y * torch.log(rate)).mean()

    fit(watch, model, optimizer, batches(x, counts), poisson)


@program("loss_not_finite")
def squared_logarithmic_error_of_a_signed_output(mended, watch):
    x, y = toys.surface()
    sales = torch.exp(y)
    model = perceptron(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def rmsle(m, x, y):
        out = F.softplus(m(x)) if mended else 4 * m(x)
        return torch.mean((torch.log(1 + out) - torch.log(1 + y)) ** 2)

    fit(watch, model, optimizer, batches(x, sales), rmsle)


@program("loss_not_finite", follows=("not_finite",))
def a_ranking_takes_the_log_of_a_difference(mended, watch):
    better, worse = torch.randn(2, 512, 8)
    better[:, 0] += 0.5
    model = perceptron(8, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def ranking(m, better, worse):
        apart = m(better) - m(worse)
        return -(F.logsigmoid(apart) if mended else torch.log(apart)).mean()

    fit(watch, model, optimizer, batches(better, worse), ranking)


@program("loss_not_finite", follows=("not_finite",))
def a_density_takes_the_root_of_what_is_left_of_one(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def angle(m, x, y):
        sine = torch.tanh(m(x)) if mended else 2 * m(x)
        return (torch.sqrt(1.001 - sine**2) - torch.cos(y)).square().mean()

    fit(watch, model, optimizer, batches(x, y), angle)


@program("loss_after_activation")
def softmax_and_cross_entropy(mended, watch):
    x, y = toys.blobs(classes=5)
    last = [] if mended else [nn.Softmax(dim=1)]
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 5), *last)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    fit(watch, model, optimizer, batches(x, y), of_output(criterion))


class Detector(nn.Module):
    def __init__(self, logits):
        super().__init__()
        self.logits = logits
        self.lstm = nn.LSTM(1, 16, batch_first=True)
        self.out = nn.Linear(16, 1)

    def forward(self, series):
        _, (hidden, _) = self.lstm(series)
        x = self.out(hidden[-1])
        return x if self.logits else torch.sigmoid(x)


@program("loss_after_activation")
def sigmoid_and_bce_with_logits(mended, watch):
    series, following = toys.waves()
    model = Detector(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    criterion = nn.BCEWithLogitsLoss()
    rises = (following > series[:, -1]).float()
    fit(watch, model, optimizer, batches(series, rises), of_output(criterion))


@program("loss_broadcast")
def mse_of_a_column_and_a_row(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.MSELoss()

    def loss(m, x, y):
        out = m(x)
        return criterion(out.squeeze(1) if mended else out, y)

    fit(watch, model, optimizer, batches(x, y[:, 0]), loss)


@program("loss_broadcast")
def absolute_error_by_hand_of_a_column_and_a_row(mended, watch):
    series, following = toys.waves()
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    target = following if mended else following[:, 0]
    fit(
        watch, model, optimizer, batches(series, target), lambda m, x, y: torch.abs(m(x) - y).mean()
    )


@program("loss_reduction")
def squared_errors_summed(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    criterion = nn.MSELoss(reduction="mean" if mended else "sum")
    fit(watch, model, optimizer, batches(x, y, size=64), of_output(criterion))


@program("loss_reduction")
def cross_entropies_summed(mended, watch):
    x, y = toys.pictures()
    model = Convolutional()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    how = "mean" if mended else "sum"
    fit(
        watch,
        model,
        optimizer,
        batches(x, y, size=64),
        lambda m, x, y: F.cross_entropy(m(x), y, reduction=how),
    )


@program("softmax_of_one")
def softmax_module_over_one_unit(mended, watch):
    x, y = toys.blobs(classes=2)
    last = nn.Sigmoid() if mended else nn.Softmax(dim=1)
    model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1), last)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.BCELoss()
    fit(watch, model, optimizer, batches(x, y.float()[:, None]), of_output(criterion))


class Switch(nn.Module):
    def __init__(self, sigmoid):
        super().__init__()
        self.sigmoid = sigmoid
        self.body = Convolutional(classes=1)

    def forward(self, image):
        score = self.body(image)
        return torch.sigmoid(score) if self.sigmoid else F.softmax(score, dim=-1)


@program("softmax_of_one")
def softmax_function_over_one_unit(mended, watch):
    x, y = toys.pictures(classes=2)
    model = Switch(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(
        watch,
        model,
        optimizer,
        batches(x, y.float()),
        lambda m, x, y: F.mse_loss(m(image=x)[:, 0], y),
    )


@program("softmax_over_batch")
def softmax_module_along_the_batch(mended, watch):
    x, y = toys.blobs()
    model = nn.Sequential(
        nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4), nn.LogSoftmax(dim=1 if mended else 0)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.NLLLoss()
    fit(watch, model, optimizer, batches(x, y), of_output(criterion))


class Classifier(nn.Module):
    def __init__(self, axis):
        super().__init__()
        self.axis = axis
        self.topics = Topics()

    def forward(self, tokens):
        return F.softmax(self.topics(tokens), dim=self.axis)


@program("softmax_over_batch")
def softmax_function_along_the_batch(mended, watch):
    tokens, topic = toys.phrases()
    model = Classifier(axis=1 if mended else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(
        watch,
        model,
        optimizer,
        batches(tokens, topic),
        lambda m, x, y: F.nll_loss(torch.log(m(x)), y),
    )


class Pooling(nn.Module):
    """Attention over the positions of a sequence, [B, T, 1]."""

    def __init__(self, axis):
        super().__init__()
        self.axis = axis
        self.words = nn.Embedding(60, 16)
        self.score, self.out = nn.Linear(16, 1), nn.Linear(16, 3)

    def forward(self, tokens):
        x = self.words(tokens)
        weights = torch.softmax(self.score(x), dim=self.axis)
        return self.out((weights * x).sum(1))


@program("softmax_over_batch")
def attention_along_the_batch(mended, watch):
    tokens, topic = toys.phrases()
    model = Pooling(axis=1 if mended else 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(tokens, topic), cross_entropy)
