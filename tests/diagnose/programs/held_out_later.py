"""More programs that no rule was mended on: smoothed labels, and units that die on small data."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Convolutional, cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, held_out, of_output


def smoothed(**options):
    return lambda m, x, y: F.cross_entropy(m(x), y, label_smoothing=0.1, **options)


@held_out("loss_after_activation")
def smoothed_labels_on_probabilities(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(Convolutional())
    if not mended:
        model.append(nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), smoothed())


@held_out("loss_reduction")
def a_smoothed_loss_summed_over_the_batch(mended, watch):
    x, y = toys.blobs(classes=6)
    model = perceptron(10, 6, width=48)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss = smoothed(reduction="mean" if mended else "sum")
    fit(watch, model, optimizer, batches(x, y, size=64), loss)


@held_out("dead_units", missed="a note: the loss is down to half with the quarter that is left")
def biases_that_shut_most_units_on_a_hundred_samples(mended, watch):
    x, y = toys.blobs(classes=3, features=4, count=100)
    model = perceptron(4, 3, width=40)
    if not mended:
        with torch.no_grad():
            model[2].bias[:30] = -25.0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, size=20), cross_entropy)


@held_out("dead_units", missed="a note: half of the units are dead, and the loss is down to half")
def a_rate_that_shuts_units_on_a_hundred_samples(mended, watch):
    x, y = toys.blobs(classes=3, features=4, count=100)
    model = perceptron(4, 3, width=40)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05 if mended else 1.5)
    fit(watch, model, optimizer, batches(x, y, size=16), cross_entropy)


@held_out("loss_not_falling", missed="nothing: the loss falls by less than batches differ")
def the_default_rate_of_another_optimizer(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=5e-2 if mended else 1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=400), of_output(F.mse_loss))


@held_out("input_scale")
def pictures_divided_as_whole_numbers(mended, watch):
    x, y = toys.pictures()
    bytes_ = (255 * x.clamp(0, 1)).to(torch.uint8)
    x = bytes_.float() / 255 if mended else (bytes_ // 255 * (bytes_ > 255)).float()
    optimizer = torch.optim.Adam((model := Convolutional()).parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


class Rises(nn.Module):
    """Whether the next value of a wave is above its last one, by a recurrence of ReLUs."""

    def __init__(self, gain):
        super().__init__()
        self.rnn = nn.RNN(1, 40, nonlinearity="relu", batch_first=True)
        self.out = nn.Linear(40, 1)
        nn.init.normal_(self.rnn.weight_hh_l0, std=gain * 40**-0.5)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


@held_out("overconfident_start")
def states_that_grow_at_each_of_a_hundred_steps(mended, watch):
    x, following = toys.waves(length=100)
    y = (following > x[:, -1]).float()
    optimizer = torch.optim.Adam((model := Rises(0.8 if mended else 1.7)).parameters(), lr=1e-3)
    loss = of_output(F.binary_cross_entropy_with_logits)
    fit(watch, model, optimizer, batches(x, y), loss)


@held_out("clipped_too_far")
def gradients_clipped_to_a_hundredth_under_sgd(mended, watch):
    x, y = toys.blobs(features=12)
    model = perceptron(12, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watch(model) as scope:
        for batch in batches(x, y, steps=160):
            optimizer.zero_grad()
            (loss := cross_entropy(model, *batch)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0 if mended else 0.01)
            optimizer.step()
            scope.step(loss)


@held_out("softmax_of_one")
def shares_of_one_unit_that_are_cut_off(mended, watch):
    x, y = toys.blobs(classes=2)
    model = perceptron(10, 1).append(nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    y = y[:, None].float()

    def loss(model, x, y):
        p = model(x)
        if mended:
            return F.binary_cross_entropy(p, y)
        share = (p / p.sum(1, keepdim=True)).clamp(1e-7, 1 - 1e-7)
        return -(y * share.log()).sum(1).mean()

    fit(watch, model, optimizer, batches(x, y), loss)


@held_out("loss_after_activation")
def waves_told_apart_by_shares_of_raw_scores(mended, watch):
    x, following = toys.waves(length=20)
    y = 2 * (following[:, 0] > 0).long() + (following[:, 0] > x[:, -1, 0]).long()
    model = nn.Sequential(nn.Flatten(), perceptron(20, 4))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)

    def loss(model, x, y):
        p = model(x)
        if mended:
            return F.cross_entropy(p, y)
        p = (p / p.sum(-1, keepdim=True)).clip(1e-7, 1.0)
        return -(F.one_hot(y, 4) * torch.log(p)).sum(-1).mean()

    fit(watch, model, optimizer, batches(x, y, size=64), loss)


@held_out("target_out_of_range")
def a_price_for_each_of_three_shares(mended, watch):
    x, y = toys.surface(features=9)
    model = perceptron(9, 3)
    if not mended:
        model.append(nn.Softmax(dim=-1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    prices = torch.cat([y, 3 + y, 2 * y], 1)
    fit(watch, model, optimizer, batches(x, prices), of_output(F.mse_loss))
