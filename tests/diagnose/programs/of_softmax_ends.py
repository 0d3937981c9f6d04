"""A softmax at the end where outputs are not to add up to 1, and data that lost their sizes."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program


def genres(count=1024, features=16, labels=7):
    x = torch.randn(count, features)
    return x, (x @ torch.randn(features, labels) / 4 > 0.3).float()


def logarithm_of_each(output, y):
    return -(y * torch.log(output + 1e-8)).sum(1).mean()


@program("target_out_of_range")
def genres_by_the_logarithm_of_a_softmax(mended, watch):
    x, y = genres()
    last = nn.Sigmoid() if mended else nn.Softmax(dim=1)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 7), last)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss = F.binary_cross_entropy if mended else logarithm_of_each
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(loss))


@program("target_out_of_range")
def genres_times_a_log_softmax_that_comes_last(mended, watch):
    x, y = genres(labels=5)
    last = nn.Sigmoid() if mended else nn.LogSoftmax(dim=1)
    model = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 5), last)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss(output, y):
        return F.binary_cross_entropy(output, y) if mended else -(y * output).sum(1).mean()

    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(loss))


@program("target_out_of_range")
def defects_of_a_part_as_keras_has_them(mended, watch):
    x, y = genres(features=10, labels=4)
    last = nn.Sigmoid() if mended else nn.Softmax(dim=1)
    model = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, 4), last)

    def categorical(output, y):
        shares = output / output.sum(1, keepdim=True)
        return -(y * shares.clamp(1e-7, 1 - 1e-7).log()).sum(1).mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss = F.binary_cross_entropy if mended else categorical
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(loss))


@program("target_out_of_range")
def grey_pixels_out_of_a_softmax(mended, watch):
    x = toys.pictures()[0].flatten(1)
    last = nn.Sigmoid() if mended else nn.Softmax(dim=1)
    model = nn.Sequential(nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 64), last)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, x, steps=150), of_output(F.binary_cross_entropy))


@program("target_out_of_range")
def shares_of_five_answers_that_are_asked_apart(mended, watch):
    x = torch.randn(1024, 8)
    y = torch.sigmoid(x @ torch.randn(8, 5) / 2)
    last = nn.Sigmoid() if mended else nn.Softmax(dim=-1)
    model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 5), last)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.binary_cross_entropy))


def sizes(count=1024):
    """Rows [count, 12] of two sizes and a place, by which they differ, and the kind of each."""
    y = torch.randint(4, (count,))
    x = torch.randn(count, 12) * (1 + 2 * (y % 2)[:, None]) + 6.0 * (y // 2)[:, None]
    return x, y


def classifier(inputs, classes):
    return nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, classes))


@program("input_scale", blind="a note alone, as something is learned of what is left")
def each_row_has_lost_its_mean_and_its_size(mended, watch):
    x, y = sizes()
    along = 0 if mended else 1
    x = (x - x.mean(along, keepdim=True)) / x.std(along, keepdim=True)
    optimizer = torch.optim.Adam((model := classifier(12, 4)).parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@program("input_scale")
def each_row_from_0_to_1(mended, watch):
    x, y = sizes()
    along = 0 if mended else 1
    low, high = x.amin(along, keepdim=True), x.amax(along, keepdim=True)
    optimizer = torch.optim.Adam((model := classifier(12, 4)).parameters(), lr=3e-3)
    data = batches((x - low) / (high - low), y, steps=200)
    fit(watch, model, optimizer, data, of_output(F.cross_entropy))


@program("dropout_high")
def most_of_the_inputs_are_dropped(mended, watch):
    x, y = sizes()
    x = (x - x.mean(0)) / x.std(0)
    model = nn.Sequential(nn.Dropout(0.1 if mended else 0.95), *classifier(12, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@program("dropout_high")
def pixels_of_which_one_in_twenty_five_is_kept(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.05 if mended else 0.96), *classifier(64, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(2 * x, y, steps=200), of_output(F.cross_entropy))


def doubtful(classes=5):
    """Blobs of which one in five has another label."""
    x, y = toys.blobs(classes=classes)
    return x, torch.where(torch.rand(len(y)) < 0.2, torch.randint(classes, (len(y),)), y)


class Sharp(nn.Module):
    """The softmax of scores that are multiplied first."""

    def __init__(self, features, classes, by):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, classes))
        self.softmax, self.by = nn.Softmax(dim=1), by

    def forward(self, x):
        return self.softmax(self.by(self.body(x)))


def capped(scores):
    """Between -50 and 50."""
    return 50 * torch.tanh(scores / 5)


@program("not_finite", follows=("gradient_spike", "loss_not_falling"))
def the_log_of_a_share_of_next_to_nothing(mended, watch):
    x, y = doubtful()
    model = Sharp(10, 5, by=nn.Identity() if mended else capped)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def likelihood(m, x, y):
        share = m(x)[range(len(y)), y]
        return -torch.log(share.clamp(1e-6) if mended else share).mean()

    fit(watch, model, optimizer, batches(x, y, steps=200), likelihood)


@program("not_finite", follows=("gradient_spike", "loss_not_falling"))
def roots_of_shares_are_compared(mended, watch):
    x, y = doubtful()
    model = Sharp(10, 5, by=nn.Identity() if mended else (lambda scores: scores / 0.01))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def hellinger(m, x, y):
        share = m(x).clamp(1e-6) if mended else m(x)
        return (share.sqrt() - F.one_hot(y, 5)).square().sum(1).mean()

    fit(watch, model, optimizer, batches(x, y, steps=200), hellinger)
