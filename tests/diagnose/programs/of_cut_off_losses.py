"""Losses of which each sample's error is cut off above, where gradients were to be clipped."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import perceptron
from tests.diagnose.programs.program import batches, fit, of_output, practice, program


@program("clipped_too_far", follows=("loss_not_falling", "no_gradient", "update_too_small"))
def topics_whose_entropies_are_at_most_one(mended, watch):
    tokens, topic = toys.phrases(classes=6)
    model = nn.Sequential(nn.EmbeddingBag(60, 24), nn.ReLU(), nn.Linear(24, 6))
    most = torch.tensor(torch.inf if mended else 1.7)

    def loss_of(output, y):
        return torch.minimum(F.cross_entropy(output, y, reduction="none"), most).mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=250), of_output(loss_of))


@program("clipped_too_far", follows=("loss_not_falling", "update_too_small"))
def differences_that_are_clamped_before_they_are_squared(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)

    def loss_of(output, y):
        apart = y - output
        return (apart if mended else apart.clamp(-0.3, 0.3)).pow(2).mean()

    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, 2 * y, steps=250), of_output(loss_of))


@practice
def labels_of_which_a_tenth_is_wrong_and_left_out(watch):
    x, y = toys.blobs(classes=4, count=2048)
    wrong = torch.rand(2048) < 0.1
    y = torch.where(wrong, torch.randint(4, (2048,)), y)
    model = perceptron(10, 4)

    def loss_of(output, y):
        return F.cross_entropy(output, y, reduction="none").clamp(max=6.0).mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(loss_of))
