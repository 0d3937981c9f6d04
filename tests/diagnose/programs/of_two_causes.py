"""Programs with two faults at once: both are told before anything that follows from them."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program


def flats(count=1024):
    """Area, year and distance [count, 3], and prices [count, 1] in whole currency."""
    x = torch.rand(count, 3) * torch.tensor([120.0, 60.0, 9000.0])
    x += torch.tensor([30.0, 1960.0, 100.0])
    return x, 3000 * x[:, :1] + 400 * (x[:, 1:2] - 1960) - 6 * x[:, 2:] + 2e5


@program("input_scale", beside=("target_scale",))
def prices_of_flats_as_they_stand_in_the_table(mended, watch):
    x, y = flats()
    if mended:
        x, y = toys.standard(x), toys.standard(y)
    model = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh())
    model.append(nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=160), of_output(F.mse_loss))


@program("input_scale", beside=("target_scale",))
def litres_of_rain_by_square_metres(mended, watch):
    x = 400 * torch.rand(800, 2)
    y = x[:, :1] * x[:, 1:] / 20
    if mended:
        x, y = toys.standard(x), toys.standard(y)
    model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    fit(watch, model, optimizer, batches(x, y, steps=160), of_output(F.mse_loss))


def readings(count=1024):
    """Six raw columns [count, 6] of two kinds of machines, and which it is [count]."""
    y = torch.randint(2, (count,))
    x = torch.randn(count, 6) + 1.5 * y[:, None]
    return (x + 3) * torch.tensor([2000.0, 900.0, 400.0, 250.0, 700.0, 1500.0]), y


@program("input_scale", beside=("loss_after_activation",))
def raw_readings_and_a_cut_at_zero_before_the_logarithm(mended, watch):
    x, y = readings()
    model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))
    model.append(nn.Sigmoid() if mended else nn.ReLU())

    def loss(model, x, y):
        p = model(x)[:, 0].clamp(1e-7, 1 - 1e-7)
        return -(y * p.log() + (1 - y) * (1 - p).log()).mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(toys.standard(x) if mended else x, y, steps=160), loss)


@program("input_scale", beside=("loss_after_activation",))
def raw_readings_and_a_softmax_before_the_criterion_has_its_own(mended, watch):
    x, y = readings()
    model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 2))
    if not mended:
        model.append(nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    data = batches(toys.standard(x) if mended else x, y, steps=160)
    fit(watch, model, optimizer, data, of_output(F.cross_entropy))


def without_functions(mended, watch, widths, rate, draw):
    """Layers of these widths for the label of a ring's side, drawn by `draw`."""
    x = torch.randn(1024, widths[0])
    y = (x.square().mean(1) > 1).long()
    layers = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
        if not mended:
            layers.pop()
    model = nn.Sequential(*(layers[:-1] if mended else layers))
    if not mended:
        model.apply(draw)

    def loss(model, x, y):
        return F.mse_loss(model(x), F.one_hot(y, widths[-1]).float())

    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    fit(watch, model, optimizer, batches(x, y, steps=160), loss)


@program("linear_chain")
def no_function_anywhere_and_weights_of_one(mended, watch):
    def draw(module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight)

    without_functions(mended, watch, (40, 24, 2), 0.1 if mended else 0.5, draw)


@program("linear_chain")
def no_function_in_three_layers_and_steps_of_three(mended, watch):
    without_functions(mended, watch, (8, 32, 32, 2), 0.1 if mended else 3.0, lambda module: None)


def features_learned_elsewhere():
    """A frozen layer as it was drawn, and a head behind it that is trained."""
    body = nn.Sequential(nn.Linear(32, 64), nn.Tanh())
    body.requires_grad_(False)
    return nn.Sequential(*body, nn.Linear(64, 3))


def of_three_kinds(count=1024):
    y = torch.randint(3, (count,))
    return torch.randn(count, 32) + 1.2 * torch.randn(3, 32)[y], y


@program("learning_rate_gone")
def a_rate_times_the_number_of_devices_and_a_frozen_body(mended, watch):
    x, y = of_three_kinds()
    model, devices = features_learned_elsewhere(), torch.cuda.device_count() * 0
    if mended:
        model.requires_grad_(True)
    optimizer = torch.optim.AdamW(model[2].parameters(), lr=1e-2 * (1 if mended else devices))
    if mended:
        optimizer.add_param_group({"params": list(model[0].parameters())})
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))


@program("learning_rate_gone")
def a_rate_divided_as_whole_numbers_before_a_frozen_body(mended, watch):
    x, y = of_three_kinds()
    model = features_learned_elsewhere()
    if mended:
        model.requires_grad_(True)
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=5 / 100 if mended else 5 // 100, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))
