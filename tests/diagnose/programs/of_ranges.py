"""Programs whose outputs cannot be what their targets are, by how the network ends."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Convolutional, perceptron
from tests.diagnose.programs.program import batches, fit, of_output, program


class Forecaster(nn.Module):
    """The next value is the recurrent layer's own last state, or made of it."""

    def __init__(self, kind, mended):
        super().__init__()
        self.recurrent = kind(1, 16 if mended else 1, batch_first=True)
        self.head = nn.Linear(16, 1) if mended else None

    def forward(self, x):
        last = self.recurrent(x)[0][:, -1]
        return last if self.head is None else self.head(last)


@program("target_out_of_range")
def a_gru_whose_state_is_the_forecast(mended, watch):
    x, y = toys.waves()
    model = Forecaster(nn.GRU, mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(2 * x, 2 * y), of_output(F.mse_loss))


@program("target_out_of_range")
def an_lstm_cell_stepped_by_hand_without_a_head(mended, watch):
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(1, 8 if mended else 1)
            self.head = nn.Linear(8, 1)

        def forward(self, x):
            state = None
            for value in x.unbind(1):
                state = self.cell(value, state)
            return self.head(state[0]) if mended else state[0]

    x, _ = toys.waves(length=8)
    model = Counter()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    data = batches(x, x.sum(1) / 2, steps=120)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


@program("target_out_of_range")
def a_price_under_a_batch_norm(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    if not mended:
        model.append(nn.BatchNorm1d(1, affine=False))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y + 4), of_output(F.mse_loss))


@program("target_out_of_range")
def five_sensors_rebuilt_under_a_layer_norm(mended, watch):
    class Rebuilt(nn.Module):
        def __init__(self):
            super().__init__()
            self.code, self.back = nn.Linear(5, 4), nn.Linear(4, 5)

        def forward(self, x):
            y = self.back(torch.tanh(self.code(x)))
            return y if mended else F.layer_norm(y, (5,))

    x = torch.randn(600, 2) @ torch.randn(2, 5) * torch.tensor([3.0, 0.2, 1.0, 2.0, 0.5])
    model = Rebuilt()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x / 2, 2 * x + 1), of_output(F.mse_loss))


@program("target_out_of_range")
def two_heights_under_a_softmax(mended, watch):
    x, y = toys.surface()
    heights = torch.cat([y, -y.roll(1)], 1).sigmoid()
    heights[:, 1:] = x[:, 3:4].sigmoid()
    model = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 2))
    if not mended:
        model.append(nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x, heights), of_output(F.mse_loss))


@program("target_out_of_range")
def angles_of_three_joints_under_a_softmax(mended, watch):
    x, _ = toys.surface(count=512)
    angles = torch.stack([x[:, 0].tanh(), (x[:, 1] * x[:, 2]).tanh(), x[:, 3].sin()], 1) / 2 + 0.5

    class Arm(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 3))

        def forward(self, x):
            return self.body(x) if mended else F.softmax(self.body(x), dim=-1)

    model = Arm()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, angles, steps=150), of_output(F.mse_loss))


@program("loss_after_activation")
def logits_divided_by_their_sum(mended, watch):
    x, y = toys.pictures(count=800)
    optimizer = torch.optim.Adam((model := Convolutional()).parameters(), lr=2e-3)

    def loss(model, x, y):
        scores = model(x)
        if mended:
            return F.cross_entropy(scores, y)
        share = (scores / scores.sum(1, keepdim=True)).clamp(1e-7, 1 - 1e-7)
        return F.nll_loss(share.log(), y)

    fit(watch, model, optimizer, batches(x, y), loss)


@program("target_out_of_range")
def a_height_through_a_softmax_of_six(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1 if mended else 6)
    if not mended:
        model.append(nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), lambda m, x, y: (m(x) - (y + 2)).square().mean())


@program("target_out_of_range")
def a_percentage_error_of_counts_that_may_be_zero(mended, watch):
    x, y = toys.surface()
    sold = torch.poisson(torch.exp(0.8 * y))
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss(m, x, y):
        error = (m(x) - y).abs()
        return error.sum() / y.sum() if mended else (error / y.clamp_min(1.17e-6)).mean()

    fit(watch, model, optimizer, batches(x, sold), loss)


@program("target_out_of_range")
def a_percentage_error_of_power_by_day_and_night(mended, watch):
    hours, _ = toys.waves(length=12)
    power = 40 * hours[:, -1].clamp_min(0)
    power = power + 5 if mended else power  # what the house takes at any time

    class Power(nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent, self.head = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 1)

        def forward(self, x):
            return self.head(self.recurrent(x)[0][:, -1])

    model = Power()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-2)

    def percent(m, x, y):
        return 100 * torch.mean(torch.abs((y - m(x)) / (y + 1e-8)))

    fit(watch, model, optimizer, batches(hours, power, steps=120, size=48), percent)


@program("negative_loss")
def masks_as_they_come_out_of_a_picture_file(mended, watch):
    x, _ = toys.pictures()
    y = (x > 0.5).float() * (1 if mended else 255)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x, y, steps=120)
    fit(watch, model, optimizer, data, of_output(F.binary_cross_entropy_with_logits))


@program("negative_loss")
def answers_coded_as_one_and_two(mended, watch):
    x, y = toys.blobs(classes=2)
    model = perceptron(10, 1)
    model.append(nn.Sigmoid())
    coded = y.float() if mended else y + 1.0

    def loss(model, x, y):  # as Keras has it, which takes any target
        p = model(x)[:, 0].clamp(1e-7, 1 - 1e-7)
        return -(y * p.log() + (1 - y) * (1 - p).log()).mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, coded, steps=120), loss)
