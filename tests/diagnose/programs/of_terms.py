"""Faults of losses with terms of their own: overlaps, cosines and divergences."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program


def segments(watch, loss_of):
    x, _ = toys.pictures()
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, (x > 0.45).float(), steps=60), loss_of)


@program("loss_after_activation")
def dice_of_scores(mended, watch):
    def dice(model, x, mask):
        p = model(x).sigmoid() if mended else model(x)
        over = (1, 2, 3)
        return 1 - (2 * (p * mask).sum(over) / (p.sum(over) + mask.sum(over) + 1)).mean()

    segments(watch, dice)


@program("loss_after_activation")
def an_intersection_of_scores(mended, watch):
    def iou(model, x, mask):
        p = model(x).sigmoid() if mended else model(x)
        both = (p * mask).sum()
        return 1 - (both + 1) / (p.sum() + mask.sum() - both + 1)

    segments(watch, iou)


@program("outputs_alike")
def views_that_are_only_drawn_together(mended, watch):
    x, _ = toys.blobs(classes=16, features=16)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))

    def loss(model, x):
        one, other = (F.normalize(model(x + 0.3 * torch.randn_like(x)), dim=1) for _ in range(2))
        if mended:
            return F.cross_entropy(one @ other.T / 0.2, torch.arange(len(x)))
        return 2 - 2 * (one * other).sum(1).mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, steps=130), loss)


@program("outputs_alike")
def pairs_of_0_and_1(mended, watch):
    x, y = toys.blobs(classes=4, features=16)
    model = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 8))

    def loss(model, x, y):
        other = torch.randperm(len(x))
        same = (y == y[other]).float()
        return F.cosine_embedding_loss(model(x), model(x[other]), 2 * same - 1 if mended else same)

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x, y, steps=250), loss)


class Autoencoder(nn.Module):
    """Gives its output, and mean and log-variance of what it draws."""

    def __init__(self, width, latent=4):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(width, 32), nn.Tanh())
        self.mean, self.spread = nn.Linear(32, latent), nn.Linear(32, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, 32), nn.Tanh(), nn.Linear(32, width))

    def forward(self, x):
        hidden = self.encoder(x)
        mean, spread = self.mean(hidden), self.spread(hidden)
        return self.decoder(mean + (spread / 2).exp() * torch.randn_like(mean)), mean, spread


def divergence(mean, spread):
    return -0.5 * torch.sum(1 + spread - mean.square() - spread.exp())


@program("posterior_collapse")
def a_summed_divergence_beside_a_mean_error(mended, watch):
    x, _ = toys.surface(features=12)
    model = Autoencoder(12)

    def loss(model, x):
        output, *latent = model(x)
        return F.mse_loss(output, x) + (1e-3 if mended else 1) * divergence(*latent) / (
            len(x) if mended else 1
        )

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, steps=100), loss)


@program("posterior_collapse")
def a_divergence_a_thousand_times_too_heavy(mended, watch):
    x, _ = toys.pictures()
    model = Autoencoder(64)

    def loss(model, x):
        output, *latent = model(x)
        error = F.binary_cross_entropy_with_logits(output, x, reduction="sum")
        return (error + (1 if mended else 1000) * divergence(*latent)) / len(x)

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x.flatten(1).clamp(0, 1), steps=100), loss)


@program("negative_loss")
def a_divergence_that_is_subtracted(mended, watch):
    x, _ = toys.blobs(classes=4, features=12)

    def loss(model, x):
        output, mean, spread = model(x)
        error, beside = (output - x).square().sum(), divergence(mean, spread)
        return (error + beside if mended else error - beside) / len(x)

    model = Autoencoder(12)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, steps=200), loss)


class Listens(nn.Module):
    """Log-probabilities of five sounds [n, time / 2, 5] of noisy readings [n, time, 5]."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv1d(5, 24, 3, stride=2, padding=1), nn.ReLU())
        self.states, self.out = nn.GRU(24, 24, batch_first=True), nn.Linear(24, 5)

    def forward(self, x):
        h = self.first(x.transpose(1, 2)).transpose(1, 2)
        return self.out(self.states(h)[0]).log_softmax(2)


def sounds(count=384, each=8):
    tokens = torch.randint(1, 5, (count, 3))
    x = F.one_hot(tokens.repeat_interleave(each, 1), 5).float()
    return x + 0.3 * torch.randn(x.shape), tokens


FRAMES = "a batch may well have no text as long as its frames"


@program("labels_without_signal", blind=FRAMES)
def an_alignment_in_the_first_third_of_the_frames(mended, watch):
    def ctc(model, x, tokens):
        scores = model(x).transpose(0, 1)
        lengths = torch.full((len(x),), len(scores) if mended else len(scores) // 3)
        return F.ctc_loss(scores, tokens, lengths, torch.full((len(x),), 3), zero_infinity=True)

    optimizer = torch.optim.Adam((model := Listens()).parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(*sounds(), steps=160), ctc)


@program("labels_without_signal", blind=FRAMES)
def an_alignment_that_counts_frames_of_another_stride(mended, watch):
    def ctc(model, x, tokens):
        lengths = torch.full((len(x),), x.shape[1] // (2 if mended else 8))
        of_text = torch.full((len(x),), 3)
        return F.ctc_loss(model(x).transpose(0, 1), tokens, lengths, of_text, reduction="sum")

    optimizer = torch.optim.SGD((model := Listens()).parameters(), lr=1e-3, momentum=0.9)
    fit(watch, model, optimizer, batches(*sounds(each=16), steps=200), ctc)


@program("loss_after_activation")
def an_alignment_of_raw_scores(mended, watch):
    tokens = torch.randint(1, 5, (256, 3))
    x = F.one_hot(tokens.repeat_interleave(4, 1), 5).float() + 0.3 * torch.randn(256, 12, 5)

    def ctc(model, x, tokens):
        scores = model(x).transpose(0, 1)  # [time, n, classes]
        lengths = [torch.full((len(x),), length) for length in (12, 3)]
        return F.ctc_loss(scores.log_softmax(2) if mended else scores, tokens, *lengths)

    model = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 5))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, tokens, steps=40), ctc)


@program("posterior_collapse")
def a_mean_of_errors_beside_a_sum_over_the_code(mended, watch):
    x = torch.randn(1024, 4) @ torch.randn(4, 48) / 2 + 0.1 * torch.randn(1024, 48)

    def loss(model, x):
        output, *latent = model(x)
        error = (output - x).square()
        error = error.sum(1).mean() if mended else error.mean()
        return error + divergence(*latent) / len(x)

    model = Autoencoder(48)
    fit(watch, model, torch.optim.Adam(model.parameters(), lr=3e-3), batches(x, steps=150), loss)


@program("posterior_collapse")
def a_mean_of_bits_beside_a_mean_of_divergences(mended, watch):
    base = torch.rand(4, 60) < 0.5
    x = (base[torch.randint(4, (1024,))] ^ (torch.rand(1024, 60) < 0.1)).float()

    def loss(model, x):
        output, *latent = model(x)
        error = F.binary_cross_entropy_with_logits(output, x, reduction="sum") / len(x)
        beside = divergence(*latent) / len(x)
        return error + beside if mended else error / 60 + beside / 2

    model = Autoencoder(60, latent=2)
    fit(watch, model, torch.optim.Adam(model.parameters(), lr=3e-3), batches(x, steps=150), loss)


def penalised(watch, model, data, penalty, **steps):
    """Cross-entropy, and a penalty of the matrices' elements."""

    def loss(model, x, y):
        matrices = (weights for weights in model.parameters() if weights.ndim > 1)
        return F.cross_entropy(model(x), y) + sum(penalty(each) for each in matrices)

    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(*data, **steps), loss)


@program("weights_decay_to_zero")
def squares_that_leave_sigmoids_nothing(mended, watch):
    factor = 1e-5 if mended else 0.1
    model = nn.Sequential(nn.Linear(10, 24), nn.Sigmoid(), nn.Linear(24, 5))
    penalised(
        watch, model, toys.blobs(5, apart=0.5), lambda w: factor * w.square().sum(), steps=200
    )


@program("weights_decay_to_zero")
def magnitudes_that_leave_a_convolution_nothing(mended, watch):
    factor = 1e-5 if mended else 0.1
    body = (nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    model = nn.Sequential(*body, nn.Linear(128, 4))
    penalised(watch, model, toys.pictures(), lambda w: factor * w.abs().sum(), steps=150)


class DrawnWeights(nn.Module):
    """A layer whose weights are drawn anew in each pass (Blundell et al. 2015)."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.mean = nn.Parameter(torch.randn(outputs, inputs) / inputs**0.5)
        self.log_spread = nn.Parameter(torch.full((outputs, inputs), -3.5))

    def forward(self, x):
        return F.linear(x, self.mean + self.log_spread.exp() * torch.randn_like(self.mean))

    def divergence(self):
        squares = (2 * self.log_spread).exp() + self.mean.square()
        return 0.5 * (squares - 1 - 2 * self.log_spread).sum()


def of_drawn_weights(watch, x, y, widths, samples, steps):
    layers = [DrawnWeights(*pair) for pair in pairwise(widths)]
    model = nn.Sequential(*[each for layer in layers for each in (layer, nn.Tanh())][:-1])

    def bound(model, x, y):
        return F.cross_entropy(model(x), y) + sum(each.divergence() for each in layers) / samples

    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=steps), bound)


@program("weights_decay_to_zero")
def the_divergence_of_drawn_weights_in_each_batch(mended, watch):
    x, y = toys.blobs(classes=5)
    of_drawn_weights(watch, toys.standard(x), y, (10, 32, 5), len(x) if mended else 1, steps=250)


@program(
    "weights_decay_to_zero",
    blind="the divergence is divided by the batch: weights keep more than half of their size",
)
def the_divergence_of_drawn_weights_for_each_sample_of_a_batch(mended, watch):
    x, y = toys.phrases(classes=3, count=2048)
    x = toys.standard(F.one_hot(x, 60).sum(1).float())
    of_drawn_weights(watch, x, y, (60, 24, 3), len(x) if mended else 32, steps=320)


class Siamese(nn.Module):
    """Projections of two views, and what a predictor makes of them."""

    def __init__(self, width):
        super().__init__()
        norm = nn.BatchNorm1d
        self.encoder = nn.Sequential(nn.Linear(width, 48), norm(48), nn.ReLU(), nn.Linear(48, 24))
        self.predictor = nn.Sequential(nn.Linear(24, 12), norm(12), nn.ReLU(), nn.Linear(12, 24))

    def forward(self, one, other):
        z = self.encoder(one), self.encoder(other)
        return *map(self.predictor, z), *z


def drawn_to_the_other_view(of_distance, stopped):
    def loss(model, x):
        p, p_other, z, z_other = model(*(x + 0.5 * torch.randn_like(x) for _ in range(2)))
        if stopped:
            z, z_other = z.detach(), z_other.detach()
        if of_distance:
            parts = zip(map(F.normalize, (p, p_other)), map(F.normalize, (z_other, z)), strict=True)
            return sum((one - other).square().sum(1).mean() for one, other in parts)
        return -(F.cosine_similarity(p, z_other) + F.cosine_similarity(p_other, z)).mean() / 2

    return loss


@program("outputs_alike")
def a_siamese_network_whose_gradient_is_not_stopped(mended, watch):
    x, _ = toys.blobs(classes=24, features=20)
    model = Siamese(20)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss = drawn_to_the_other_view(of_distance=False, stopped=mended)
    fit(watch, model, optimizer, batches(x, steps=400, size=64), loss)


@program("outputs_alike", blind="they are drawn together too slowly to be there by then")
def targets_of_the_same_network_and_no_stop(mended, watch):
    x, _ = toys.blobs(classes=12, features=16, apart=2.0)
    model = Siamese(16)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    loss = drawn_to_the_other_view(of_distance=True, stopped=mended)
    fit(watch, model, optimizer, batches(x, steps=400, size=64), loss)


class Uncertainty(nn.Module):
    """Two errors, each by a learned weight (Kendall et al. 2018)."""

    def __init__(self):
        super().__init__()
        self.scales = nn.Parameter(torch.zeros(2))

    def forward(self, *errors):
        terms = zip(errors, self.scales, strict=True)
        return sum(torch.exp(-scale) * error + scale for error, scale in terms)


@program("not_registered")
def weights_of_terms_in_a_criterion_that_no_optimizer_has(mended, watch):
    x, y = toys.surface()
    model, criterion = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 2)), Uncertainty()

    def loss(model, x, y):
        one, other = model(x).unbind(1)
        noisy = y[:, 0] + torch.randn(len(y))
        return criterion((one - noisy).square().mean(), (other - y[:, 0]).square().mean())

    others = criterion.parameters() if mended else ()
    optimizer = torch.optim.Adam([*model.parameters(), *others], lr=1e-2)
    fit(watch, model, optimizer, batches(x, y, steps=140), loss)


@program("not_registered")
def a_scale_of_cosines_beside_the_network(mended, watch):
    x, y = toys.blobs(classes=4, features=16)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
    centres = F.normalize(torch.randn(4, 8), dim=1)
    balance = torch.zeros(1, requires_grad=True)

    def loss(model, x, y):
        z = model(x)
        apart = F.cross_entropy(5 * F.normalize(z, dim=1) @ centres.T, y)
        length = (z.norm(dim=1) - 1).square().mean()
        return apart * torch.exp(-balance[0]) + length * torch.exp(balance[0])

    others = [balance] if mended else []
    optimizer = torch.optim.Adam([*model.parameters(), *others], lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=140), loss)
