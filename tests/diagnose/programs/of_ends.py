"""Programs whose last function does not go with their loss, or their targets with either."""

import itertools

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, blobs, fit, phrases, pictures, program


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
    x, y = blobs(classes=6, features=12)
    model = nn.Sequential(*layers(12, 48, 6), nn.Softmax(dim=1) if mended else nn.ReLU())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), lambda m, x, y: log_of_share(m(x), y))


@program("loss_after_activation")
def the_logarithm_of_scores(mended, watch):
    x, y = pictures()
    body = [nn.Conv2d(1, 12, 3), nn.Tanh(), nn.Flatten(), nn.Linear(432, 4)]
    model = nn.Sequential(*body, *([nn.Softmax(dim=1)] if mended else []))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    fit(watch, model, optimizer, batches(x, y), lambda m, x, y: log_of_output(m(x), y))


@program("softmax_of_one")
def one_score_into_a_loss_of_classes(mended, watch):
    x, y = blobs(classes=2)
    model = nn.Sequential(*layers(10, 24, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss = F.binary_cross_entropy_with_logits if mended else F.cross_entropy
    data = batches(x, y.float()[:, None])
    fit(watch, model, optimizer, data, lambda m, x, y: loss(m(x), y))


class Sentiment(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.embedding, self.gru = nn.Embedding(60, 16), nn.GRU(16, 24, batch_first=True)
        self.out = nn.Linear(24, outputs)

    def forward(self, words):
        return self.out(self.gru(self.embedding(words))[0][:, -1])


@program("softmax_of_one")
def the_likelihood_of_the_only_class(mended, watch):
    words, topic = phrases(classes=2)
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
    fit(watch, model, optimizer, batches(x, y), lambda m, x, y: F.mse_loss(m(x), y))


@program("target_out_of_range")
def attributes_and_an_absolute_error_of_a_softmax(mended, watch):
    x, y = several(labels=8)
    model = nn.Sequential(*layers(15, 40, 8), nn.Sigmoid() if mended else nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y), lambda m, x, y: F.l1_loss(m(x), y))
