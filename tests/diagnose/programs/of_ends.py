"""Programs whose last function does not go with their loss, or their targets with either."""

import itertools

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program


def layers(*sizes):
    """Linear layers and ReLUs in between."""
    pairs = itertools.pairwise(sizes)
    return [each for a, b in pairs for each in (nn.Linear(a, b), nn.ReLU())][:-1]


def log_of_share(output, y):
    """As Keras computes it of outputs that are no softmax's."""
    share = (output / output.sum(1, keepdim=True).clamp_min(1e-7)).clamp(1e-7, 1 - 1e-7)
    return -share.log().gather(1, y[:, None]).mean()


def log_of_output(output, y):
    return -(F.one_hot(y, output.shape[1]) * output.clamp(1e-12, 1).log()).sum(1).mean()


@program("loss_after_activation")
def probabilities_by_the_sum_of_relus(mended, watch):
    x, y = toys.blobs(classes=6, features=12)
    model = nn.Sequential(*layers(12, 48, 6), nn.Softmax(dim=1) if mended else nn.ReLU())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(log_of_share))


@program("loss_after_activation")
def the_logarithm_of_scores(mended, watch):
    x, y = toys.pictures()
    body = [nn.Conv2d(1, 12, 3), nn.Tanh(), nn.Flatten(), nn.Linear(432, 4)]
    model = nn.Sequential(*body, *([nn.Softmax(dim=1)] if mended else []))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    fit(watch, model, optimizer, batches(x, y), of_output(log_of_output))


@program("softmax_of_one")
def one_score_into_a_loss_of_classes(mended, watch):
    x, y = toys.blobs(classes=2)
    model = nn.Sequential(*layers(10, 24, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss = F.binary_cross_entropy_with_logits if mended else F.cross_entropy
    data = batches(x, y.float()[:, None])
    fit(watch, model, optimizer, data, of_output(loss))


class Sentiment(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.embedding, self.gru = nn.Embedding(60, 16), nn.GRU(16, 24, batch_first=True)
        self.out = nn.Linear(24, outputs)

    def forward(self, words):
        return self.out(self.gru(self.embedding(words))[0][:, -1])


@program("softmax_of_one")
def the_likelihood_of_the_only_class(mended, watch):
    words, topic = toys.phrases(classes=2)
    model = Sentiment(2 if mended else 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

    def loss(m, x, y):
        return F.nll_loss(m(x).log_softmax(1), y if mended else torch.zeros_like(y))

    fit(watch, model, optimizer, batches(words, topic), loss)


def several(count=1024, labels=5):
    """Inputs [count, 15], and which of the labels each has: [count, labels], 0 or 1."""
    y = (torch.rand(count, labels) < 0.45).float()
    return y @ torch.randn(labels, 15) + 0.5 * torch.randn(count, 15), y


@program("target_out_of_range")
def several_labels_and_a_squared_error_of_a_softmax(mended, watch):
    x, y = several()
    model = nn.Sequential(*layers(15, 40, 5), nn.Sigmoid() if mended else nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))


@program("target_out_of_range")
def attributes_and_an_absolute_error_of_a_softmax(mended, watch):
    x, y = several(labels=8)
    model = nn.Sequential(*layers(15, 40, 8), nn.Sigmoid() if mended else nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.l1_loss))


def binary_of_clamped(output, y):
    p = output.clamp(1e-7, 1 - 1e-7)
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()


@program("loss_after_activation")
def scores_into_a_binary_loss_of_probabilities(mended, watch):
    x, y = toys.blobs(classes=2)
    model = nn.Sequential(*layers(10, 32, 1), *([nn.Sigmoid()] if mended else []))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x, y.float()[:, None])
    fit(watch, model, optimizer, data, of_output(binary_of_clamped))


@program("loss_after_activation")
def a_tanh_for_the_probability_of_each_label(mended, watch):
    x, y = several()
    model = nn.Sequential(*layers(15, 40, 5), nn.Sigmoid() if mended else nn.Tanh())
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(binary_of_clamped))


@program("target_out_of_range", first=False)  # after negative_loss, which says the same
def standardised_pixels_as_probabilities(mended, watch):
    x = toys.pictures()[0].flatten(1)
    x = x if mended else (x - x.mean(0)) / x.std(0)
    model = nn.Sequential(*layers(64, 24, 64), nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(
        watch,
        model,
        optimizer,
        batches(x, x),
        lambda m, x, y: F.binary_cross_entropy(m(x), y) if mended else binary_of_clamped(m(x), y),
    )


@program("target_out_of_range", first=False)  # after negative_loss, which says the same
def ratings_of_1_to_5_and_a_binary_loss_of_logits(mended, watch):
    x, _ = toys.blobs(features=8)
    rating = (3 + x[:, :1] + 0.5 * torch.randn(len(x), 1)).clamp(1, 5)
    model = nn.Sequential(*layers(8, 32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss = F.mse_loss if mended else F.binary_cross_entropy_with_logits
    fit(watch, model, optimizer, batches(x, rating), of_output(loss))


@program("overconfident_start")
def a_prior_of_the_other_class(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(nn.Flatten(), *layers(64, 32, 4))
    if not mended:
        model[-1].bias.data[:] = torch.tensor([0.0, 0.0, 25.0, 0.0])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))


class Sharp(nn.Module):
    def __init__(self, temperature):
        super().__init__()
        self.body, self.temperature = nn.Sequential(*layers(12, 48, 6)), temperature

    def forward(self, x):
        return self.body(x) / self.temperature


@program("overconfident_start")
def logits_over_a_temperature_of_a_hundredth(mended, watch):
    x, y = toys.blobs(classes=6, features=12)
    model = Sharp(1.0 if mended else 0.01)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05 if mended else 5e-6, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))


@program("loss_broadcast")
def a_huber_loss_of_a_row_and_a_column(mended, watch):
    x, y = toys.surface(features=5)
    model = nn.Sequential(*layers(5, 32, 32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss(m, x, y):
        return F.huber_loss(*torch.broadcast_tensors(m(x), y if mended else y[:, 0]), delta=0.5)

    fit(watch, model, optimizer, batches(x, y), loss)


def squared_error_of_classes(output, y):
    return F.mse_loss(output, F.one_hot(y, output.shape[1]).float())


@program("loss_not_falling")
def a_squared_error_of_a_softmax_over_ten(mended, watch):
    x, y = toys.blobs(classes=10, features=12)
    model = nn.Sequential(*layers(12, 32, 10), *([] if mended else [nn.Softmax(dim=1)]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    loss = F.cross_entropy if mended else squared_error_of_classes
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(loss))


@program("loss_not_falling")
def an_absolute_error_of_a_sigmoid(mended, watch):
    x, y = toys.pictures(classes=2)
    model = nn.Sequential(nn.Flatten(), *layers(64, 16, 1), *([] if mended else [nn.Sigmoid()]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02 if mended else 0.002)
    loss = F.binary_cross_entropy_with_logits if mended else F.l1_loss
    data = batches(x, y.float()[:, None], steps=150)
    fit(watch, model, optimizer, data, of_output(loss))


@program("negative_loss")
def a_divergence_of_shares_from_smooth_ones(mended, watch):
    x, y = toys.blobs(classes=5, features=12)
    smooth = 0.9 * F.one_hot(y, 5) + 0.02
    last = nn.LogSoftmax(dim=1) if mended else nn.Softmax(dim=1)
    model = nn.Sequential(*layers(12, 32, 5), last)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.KLDivLoss(reduction="batchmean")
    data = batches(x, smooth)
    fit(watch, model, optimizer, data, of_output(criterion))


@program("target_scale")
def temperatures_and_an_output_that_is_normalised(mended, watch):
    x, y = toys.surface(features=7)
    y = y if mended else 21 + 4 * y
    model = nn.Sequential(*layers(7, 48, 1), *([] if mended else [nn.BatchNorm1d(1)]))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x, y, steps=150)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


@program("target_scale")
def ages_and_an_absolute_error(mended, watch):
    x, _ = toys.pictures()
    age = 40 + 60 * (x[:, 0, :, :4].mean((1, 2)) - 0.3)[:, None]
    age = (age - age.mean()) / age.std() if mended else age
    model = nn.Sequential(nn.Flatten(), *layers(64, 16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    data = batches(x, age, steps=150)
    fit(watch, model, optimizer, data, of_output(F.l1_loss))


@program("loss_after_activation")
def shares_that_are_torn_at_both_ends_behind_a_relu(mended, watch):
    x, y = toys.blobs(classes=2, features=6)
    end = nn.Sigmoid() if mended else nn.ReLU()
    model = nn.Sequential(*layers(6, 48, 24, 1), end)
    with torch.no_grad():
        model[4].bias.fill_(0.0 if mended else 1.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss = nn.BCELoss()
    data = batches(x, y[:, None].float(), steps=150)
    fit(watch, model, optimizer, data, lambda m, x, y: loss(m(x).clamp(0, 1), y))


@program("loss_after_activation")
def whether_a_wave_rises_told_by_raw_scores(mended, watch):
    x, following = toys.waves()
    y = (following > x[:, -1]).float()
    model = Next(nn.Sigmoid() if mended else nn.Identity())
    with torch.no_grad():
        model.out.bias.fill_(-0.6)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(binary_of_clamped))


class Next(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.rnn = nn.GRU(1, 24, batch_first=True)
        self.out, self.end = nn.Linear(24, 1), end

    def forward(self, x):
        return self.end(self.out(self.rnn(x)[0][:, -1]))
