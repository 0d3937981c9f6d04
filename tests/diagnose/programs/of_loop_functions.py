"""Programs whose loop puts the output through a function before the loss."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_starts import stack
from tests.diagnose.programs.program import batches, fit, of_output, practice, program


@program("target_out_of_range")
def returns_cut_at_0_in_the_loop(mended, watch):
    x, y = toys.surface(features=8)
    model = stack(nn.SiLU, 8, 48, 48, 1)

    def loss(model, x, y):
        found = model(x)
        return F.mse_loss(found if mended else F.relu(found), y)

    fit(watch, model, torch.optim.Adam(model.parameters(), lr=2e-3), batches(x, y), loss)


@program("target_out_of_range")
def the_next_value_of_a_wave_through_a_tanh_of_the_loop(mended, watch):
    x, y = toys.waves()
    y = 1.8 * y

    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.past, self.last = nn.LSTM(1, 24, batch_first=True), nn.Linear(24, 1)

        def forward(self, x):
            return self.last(self.past(x)[0][:, -1])

    def loss(model, x, y):
        found = model(x)
        found = found if mended else torch.tanh(found)
        return 0.5 * (found - y).square().mean()

    model = Forecaster()
    fit(watch, model, torch.optim.Adam(model.parameters(), lr=5e-3), batches(x, y), loss)


@program("target_out_of_range")
def pictures_of_mean_0_through_a_sigmoid_beside_a_penalty(mended, watch):
    x, _ = toys.pictures()
    x = toys.standard(x.flatten(1))

    class Coder(nn.Module):
        def __init__(self):
            super().__init__()
            self.inward, self.outward = stack(nn.ReLU, 64, 32, 8), stack(nn.ReLU, 8, 32, 64)

        def forward(self, x):
            code = self.inward(x)
            return self.outward(code), code

    def loss(model, x):
        drawn, code = model(x)
        drawn = drawn if mended else drawn.sigmoid()
        return (drawn - x).square().sum(1).mean() + 0.1 * code.abs().mean()

    model = Coder()
    fit(watch, model, torch.optim.Adam(model.parameters(), lr=2e-3), batches(x), loss)


@program("loss_after_activation")
def topics_from_scores_cut_at_0(mended, watch):
    x, y = toys.phrases(classes=4)

    class Topics(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.topic = nn.EmbeddingBag(60, 24), nn.Linear(24, 4)

        def forward(self, x):
            return self.topic(self.words(x))

    def loss(model, x, y):
        scores = model(x)
        return F.cross_entropy(scores if mended else torch.relu(scores), y)

    model = Topics()
    fit(watch, model, torch.optim.Adam(model.parameters(), lr=5e-3), batches(x, y), loss)


@program("loss_after_activation")
def labels_of_pictures_from_a_tanh_of_the_loop(mended, watch):
    x, y = toys.pictures()
    bits = F.one_hot(y, 4).float()
    bits[:, 0] = (y < 2).float()
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Flatten(), nn.Linear(432, 4))

    def loss(model, x, bits):
        scores = model(x)
        scores = scores if mended else scores.tanh()
        return F.binary_cross_entropy_with_logits(scores[:, 1:], bits[:, 1:])

    fit(watch, model, torch.optim.Adam(model.parameters(), lr=3e-3), batches(x, bits), loss)


@practice
def shares_from_a_sigmoid_of_the_loop(watch):
    x, y = toys.surface(features=8)
    model = stack(nn.ReLU, 8, 48, 48, 1)
    loss_of = of_output(lambda z, y: F.mse_loss(z.sigmoid(), y))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y.sigmoid(), steps=300), loss_of)


@practice
def scores_that_a_tanh_keeps_below_20(watch):
    x, y = toys.blobs(classes=6, features=16)
    model = stack(nn.GELU, 16, 48, 6)
    loss_of = of_output(lambda z, y: F.cross_entropy(20 * torch.tanh(z / 20), y))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=300), loss_of)


@practice
def counts_from_a_relu_of_the_loop(watch):
    x, y = toys.surface(features=8)
    model = stack(nn.ReLU, 8, 48, 48, 1)
    nn.init.constant_(model[-1].bias, 1.0)
    loss_of = of_output(lambda z, y: F.mse_loss(z.relu(), y))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, F.softplus(y), steps=300), loss_of)
