"""Programs whose network starts so that little gets through it, or too much."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, of_output, program


def stack(function, *sizes):
    """Linear layers with a function after all but the last."""
    layers = [each for a, b in pairwise(sizes) for each in (nn.Linear(a, b), function())]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def drawn(model, weight_std, bias=0.0):
    """Weights of hidden layers from a normal of one size, biases of a constant."""
    for module in list(model.modules())[:-1]:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, weight_std)
            nn.init.constant_(module.bias, bias)
    return model


@program("saturated", also=("overconfident_start",))
def tanh_layers_from_a_standard_normal(mended, watch):
    x, y = toys.blobs(classes=5, features=40)
    model = stack(nn.Tanh, 40, 64, 64, 5)
    if not mended:
        drawn(model, 1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("saturated")
def readings_of_about_eight_under_a_tanh(mended, watch):
    x, y = toys.surface(features=12)
    x = x if mended else 8 * x
    model = stack(nn.Tanh, 12, 64, 32, 1)
    drawn(model, 12**-0.5)
    drawn(model[2:], 64**-0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y), of_output(functional.mse_loss))


@program("vanishing_gradient", also=("collapsed",))
def eight_sigmoids_in_a_row(mended, watch):
    x, y = toys.ring()
    model = stack(nn.Tanh if mended else nn.Sigmoid, 2, *[32] * 8, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=200), cross_entropy)


@program("vanishing_gradient", also=("idle",))
def deep_tanh_layers_of_half_the_weights(mended, watch):
    x, y = toys.blobs(classes=4, features=16)
    model = drawn(stack(nn.Tanh, 16, *[48] * 10, 4), (1.0 if mended else 0.4) * 48**-0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)


@program("overconfident_start")
def deep_relu_layers_of_three_times_the_weights(mended, watch):
    x, y = toys.surface(features=8)
    model = stack(nn.ReLU, 8, *[64] * 7, 1)
    drawn(model, (1.0 if mended else 3.0) * (2 / 64) ** 0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(functional.mse_loss))


@program("idle")
def weights_of_a_thousandth(mended, watch):
    x, y = toys.surface(features=8)
    model = stack(nn.Tanh, 8, 48, 48, 1)
    if not mended:
        drawn(model, 1e-3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(functional.mse_loss))


@program("idle", also=("collapsed",))
def gelu_layers_from_another_framework_s_small_normal(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    model = stack(nn.GELU, 10, *[32] * 4, 4)
    if not mended:
        drawn(model, 0.005)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)


@program("dead_units")
def biases_of_minus_five_under_relus(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    model = stack(nn.ReLU, 10, 64, 32, 4)
    if not mended:
        for layer in (model[0], model[2]):
            nn.init.constant_(layer.bias, -8.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)


@program("collapsed", first=False, also=("biased",))  # a step is too large, too
def biases_of_five_under_tanh_layers(mended, watch):
    x, y = toys.surface(features=8)
    model = stack(nn.Tanh, 8, 32, 32, 32, 1)
    if not mended:
        drawn(model, 0.05, bias=1.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(functional.mse_loss))


@program("update_too_small", also=("loss_not_falling",))
def a_rate_of_sgd_in_the_notation_of_adam(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    model = stack(nn.ReLU, 10, 64, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05 if mended else 1e-5)
    fit(watch, model, optimizer, batches(x, y, steps=260), cross_entropy)


@program("gradient_spike")
def one_row_in_other_units(mended, watch):
    x, y = toys.surface(features=6)
    if not mended:
        y[700] = 3000.0
    model = stack(nn.ReLU, 6, 32, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    order = [i for i in range(1024) if i != 700]
    data = [torch.tensor(order[32 * k % 990 : 32 * k % 990 + 32]) for k in range(150)]
    data[110][0] = 700
    fit(watch, model, optimizer, ((x[k], y[k]) for k in data), of_output(functional.mse_loss))


@program("biased", first=False)
def positive_weights_that_average_what_is_positive(mended, watch):
    x, y = toys.pictures()
    model = stack(nn.Tanh, 64, 48, 48, 48, 4)
    model.insert(0, nn.Flatten())
    if not mended:
        for module in list(model.modules())[:-1]:
            if isinstance(module, nn.Linear):
                nn.init.uniform_(module.weight, 0, 2 / module.in_features)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)


@program("exploding_gradient")
def a_small_head_on_layers_that_triple(mended, watch):
    x, y = toys.blobs(classes=4, features=16)
    gain = 1.0 if mended else 3.0
    model = drawn(stack(nn.ReLU, 16, *[48] * 10, 4), gain * (2 / 48) ** 0.5)
    with torch.no_grad():
        model[-1].weight.mul_(gain**-10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("overconfident_start")
def probabilities_that_begin_at_both_ends(mended, watch):
    x, y = toys.blobs(classes=2, features=20)
    model = stack(nn.ReLU, 20, 48, 24, 1).append(nn.Sigmoid())
    if not mended:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss = of_output(functional.binary_cross_entropy)
    fit(watch, model, optimizer, batches(x, y[:, None].float()), loss)


@program("loss_not_falling")
def a_rate_with_which_hours_would_do(mended, watch):
    x, y = toys.blobs(classes=3, features=6, apart=1.0)
    model = stack(nn.Tanh, 6, 24, 24, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3 if mended else 8e-5)
    fit(watch, model, optimizer, batches(x, y, steps=240), cross_entropy)


@program("input_scale")
def an_array_that_nobody_has_filled(mended, watch):
    x, y = toys.blobs(features=12)
    given = x if mended else torch.zeros(len(x), 12)
    model = stack(nn.ReLU, 12, 48, 48, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(given, y), cross_entropy)


@program("saturated")
def sigmoids_behind_weights_from_0_to_1(mended, watch):
    x, y = toys.blobs(classes=6, features=30)
    model = stack(nn.Sigmoid, 30, 80, 40, 6)
    if not mended:
        for layer in model[::2]:
            nn.init.uniform_(layer.weight, 0, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    fit(watch, model, optimizer, batches(x.abs(), y, steps=200), cross_entropy)


@program("saturated")
def sigmoids_behind_integers_for_weights(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(nn.Flatten(), *stack(nn.Sigmoid, 64, 64, 64, 4))
    if not mended:
        with torch.no_grad():
            for layer in model[1::2]:
                layer.weight.copy_(torch.randint(0, 3, layer.weight.shape))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.5)
    fit(watch, model, optimizer, batches(x, y, steps=200), cross_entropy)


@program("dead_units", also=("vanishing_gradient: more units",))
def twenty_layers_of_three_units(mended, watch):
    x, y = toys.blobs(classes=2, features=5)
    model = stack(nn.ReLU, 5, *(32, 32) if mended else [3] * 20, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)


@program("dead_units", also=("vanishing_gradient: more units",))
def a_regression_through_twelve_layers_of_two_units(mended, watch):
    x, y = toys.surface()
    model = stack(nn.ReLU, 6, *(48, 48) if mended else [2] * 12, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(functional.mse_loss))
