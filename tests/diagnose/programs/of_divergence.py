"""Programs whose loss or weights go out of bounds, or whose units die of it."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import perceptron
from tests.diagnose.programs.of_network import Encoder
from tests.diagnose.programs.program import batches, fit, of_output, program


def fit_without_telling_the_loss(watch, model, optimizer, data, loss_of):
    with watch(model) as scope:
        for batch in data:
            optimizer.zero_grad()
            loss_of(model, *batch).backward()
            optimizer.step()
            scope.step()


@program("update_too_large")
def zero_weights_and_a_rate_beyond_stability(mended, watch):
    x = 3 * torch.randn(512, 8)
    y = x @ torch.randn(8, 1)
    model = nn.Linear(8, 1)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01 if mended else 0.3)
    data = batches(x, y, steps=120)
    fit_without_telling_the_loss(watch, model, optimizer, data, of_output(F.mse_loss))


@program("update_too_large")
def a_head_of_zeros_in_a_net_that_diverges(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    nn.init.zeros_(model[2].weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05 if mended else 0.6, momentum=0.9)
    data = batches(x, y, steps=150)
    fit_without_telling_the_loss(watch, model, optimizer, data, of_output(F.mse_loss))


@program("loss_diverged", first=False, also=("update_too_large",))
def a_warm_up_to_a_rate_that_is_too_high(mended, watch):
    x, y = toys.surface()
    y = y + 0.3 * torch.randn_like(y)
    model = perceptron(6, 1, width=64)
    rate = 0.02 if mended else 1.0
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1.0, (k + 1) / 200))
    data = batches(x, y, steps=250)
    fit(watch, model, optimizer, data, of_output(F.mse_loss), scheduler)


@program("attention_logit_growth")
def a_rate_raised_in_the_middle(mended, watch):
    tokens, topic = toys.phrases()
    model = Encoder(0.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model) as scope:
        for step, (inputs, labels) in enumerate(batches(tokens, topic, steps=250)):
            if step == 120 and not mended:  # "to speed it up"
                optimizer.param_groups[0]["lr"] = 0.2
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scope.step(loss)


@program("loss_diverged", first=False, also=("update_too_large",))
def clipped_and_still_far_too_large_steps(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05 if mended else 20.0)
    with watch(model) as scope:
        for inputs, target in batches(x, y, steps=120):
            optimizer.zero_grad()
            loss = F.mse_loss(model(inputs), target)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scope.step(loss)


@program("dead_units")
def a_relu_on_a_price_that_starts_below_zero(mended, watch):
    x, y = toys.surface()
    price = y - y.min()
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1), nn.ReLU())
    nn.init.constant_(model[2].bias, 0.5 if mended else -4.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, price, steps=150), of_output(F.mse_loss))


class Recurrent(nn.Module):
    """A recurrence of torch's with relus, that hands its state on as it is, and a number for each
    sequence [n, length, 1].
    """

    def __init__(self, width, by_cell=False):
        super().__init__()
        kind = nn.RNNCell if by_cell else nn.RNN
        self.by_cell = by_cell
        self.rnn, self.head = kind(1, width, nonlinearity="relu"), nn.Linear(width, 1)
        with torch.no_grad():
            for name, weight in self.rnn.named_parameters():
                if name.startswith("weight_hh"):
                    nn.init.eye_(weight)  # Le et al. 2015
                if name.startswith("bias"):
                    weight.zero_()

    def forward(self, x):
        if not self.by_cell:
            return self.head(self.rnn(x.transpose(0, 1))[0][-1])
        state = None
        for step in x.unbind(1):
            state = self.rnn(step, state)
        return self.head(state)


def fit_clipped(watch, model, optimizer, data, clip):
    with watch(model) as scope:
        for x, y in data:
            optimizer.zero_grad()
            loss = F.mse_loss(model(x), y)
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            scope.step(loss)


@program("loss_diverged")
def sums_of_long_sequences(mended, watch):
    x = torch.randn(1024, 40, 1)
    model = Recurrent(32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    data = batches(x, x.sum(1) / 40**0.5, steps=200)
    fit_clipped(watch, model, optimizer, data, 1.0 if mended else 0.0)


@program("loss_diverged", first=False, also=("update_too_large: clip_grad_norm_",))
def how_often_a_signal_came(mended, watch):
    x = (torch.rand(1024, 30, 1) < 0.2).float()
    model = Recurrent(24, by_cell=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    data = batches(x, toys.standard(x.sum(1)), steps=200)
    fit_clipped(watch, model, optimizer, data, 1.0 if mended else 0.0)
