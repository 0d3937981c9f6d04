"""Programs some of whose weights never move, or move at another pace than the rest."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Convolutional, Forecaster, cross_entropy, perceptron
from tests.diagnose.programs.of_network import Encoder
from tests.diagnose.programs.program import batches, fit, of_output, program


@program("stalled")
def the_first_convolution_at_a_rate_512_times_smaller(mended, watch):
    x, y = toys.pictures()
    model = Convolutional()
    rest = [*model.conv2.parameters(), *model.fc.parameters()]
    groups = [
        {"params": model.conv1.parameters(), "lr": 2e-3 if mended else 2e-3 / 512},
        {"params": rest, "lr": 2e-3},
    ]
    fit(watch, model, torch.optim.Adam(groups), batches(x, y, steps=150), cross_entropy)


@program("stalled")
def a_typing_error_in_the_rate_of_a_block(mended, watch):
    tokens, topic = toys.phrases()
    model = Encoder(0.0)
    groups = [
        {"params": model.words.parameters()},
        {"params": model.block.parameters(), "lr": 1e-3 if mended else 1e-8},
        {"params": model.out.parameters()},
    ]
    optimizer = torch.optim.AdamW(groups, lr=3e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=150), cross_entropy)


@program("learning_rate_gone")
def a_linear_decay_over_epochs_stepped_in_every_batch(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    total = 400 if mended else 10
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: max(0.0, 1 - k / total))
    data = batches(x, y, steps=120)
    fit(watch, model, optimizer, data, of_output(F.mse_loss), scheduler)


@program("learning_rate_gone")
def a_warm_up_that_nobody_steps(mended, watch):
    tokens, topic = toys.phrases()
    model = Encoder(0.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1.0, k / 20))
    with watch(model) as scope:
        for inputs, labels in batches(tokens, topic, steps=120):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), labels)
            loss.backward()
            optimizer.step()
            if mended:
                scheduler.step()
            scope.step(loss)


@program("no_gradient")
def the_loss_is_wrapped_anew(mended, watch):
    x, y = toys.blobs()
    model = perceptron(10, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def loss(m, x, y):
        value = F.cross_entropy(m(x), y)
        return value if mended else torch.tensor(value.item(), requires_grad=True)

    fit(watch, model, optimizer, batches(x, y), loss)


@program("no_gradient")
def outputs_rounded_before_the_loss(mended, watch):
    series, following = toys.waves()
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss(m, x, y):
        out = m(x)
        return F.mse_loss(out if mended else torch.round(10 * out) / 10, y)

    fit(watch, model, optimizer, batches(series, following), loss)


class Stack(nn.Module):
    """Hidden layers in a Python list, which registers nothing."""

    def __init__(self, mended):
        super().__init__()
        hidden = [nn.Linear(10, 32), nn.Linear(32, 32), nn.Linear(32, 32)]
        self.hidden = nn.ModuleList(hidden) if mended else hidden
        self.out = nn.Linear(32, 4)

    def forward(self, x):
        for layer in self.hidden:
            x = F.relu(layer(x))
        return self.out(x)


@program("not_registered")
def layers_in_a_python_list(mended, watch):
    x, y = toys.blobs()
    model = Stack(mended)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


class Tasks(nn.Module):
    """A head per task in a dict, and one body."""

    def __init__(self, mended):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh())
        heads = {"size": nn.Linear(32, 1), "price": nn.Linear(32, 1)}
        self.heads = nn.ModuleDict(heads) if mended else heads

    def forward(self, x):
        features = self.body(x)
        return torch.cat([head(features) for head in self.heads.values()], 1)


@program("not_registered")
def heads_in_a_dict(mended, watch):
    x, y = toys.surface()
    model = Tasks(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    both = torch.cat([y, -y], 1)
    fit(watch, model, optimizer, batches(x, both), of_output(F.mse_loss))


class Scaled(nn.Module):
    """A weight that is made a parameter anew in every forward pass."""

    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.first, self.out = nn.Linear(10, 32), nn.Linear(32, 4)

    def forward(self, x):
        weight = self.first.weight
        if not self.mended:
            weight = nn.Parameter(weight)
        return self.out(F.relu(F.linear(x, weight, self.first.bias)))


@program("not_registered")
def a_weight_wrapped_in_a_new_parameter(mended, watch):
    x, y = toys.blobs()
    model = Scaled(mended)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("not_finite")
def half_precision_and_the_usual_epsilon(mended, watch):
    x, y = toys.blobs()
    x[:, -1] = 0.0  # a feature that is not used yet: its gradient is exactly 0
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4)).half()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-4 if mended else 1e-8)
    fit(
        watch,
        model,
        optimizer,
        batches(x.half(), y, steps=60),
        lambda m, x, y: F.cross_entropy(m(x).float(), y),
    )


@program("learning_rate_gone")
def a_decay_of_one_in_each_step(mended, watch):
    x, y = toys.blobs(classes=6, apart=0.7)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 6))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    decay = 1e-3 if mended else 1.0
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + decay * step))
    data = batches(x, y, steps=320)
    fit(watch, model, optimizer, data, cross_entropy, scheduler)


@program("optimizer_averages")
def adam_with_an_epsilon_of_one(mended, watch):
    x, y = toys.pictures()
    model = Convolutional()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, eps=1e-8 if mended else 1.0)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)
