"""Faults of weighted losses, and of values that a network gives itself as targets."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import perceptron
from tests.diagnose.programs.program import batches, fit, of_output, program


def rare(count=1024, features=8):
    """Inputs, and 0 or 1 of each [count, 1]: about one of eight is 1."""
    x = torch.randn(count, features)
    return x, (x[:, :1] + x[:, 1:2] + 0.3 * torch.randn(count, 1) > 1.7).float()


@program("class_weights")
def a_weight_of_all_negatives(mended, watch):
    x, y = rare()
    weight = (y == 0).sum() / y.sum() if mended else (y == 0).sum()
    model = perceptron(8, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss(model, x, y):
        return F.binary_cross_entropy_with_logits(model(x), y, pos_weight=weight)

    fit(watch, model, optimizer, batches(x, y, steps=100, size=64), loss)


@program("class_weights")
def class_weights_of_the_counts(mended, watch):
    tokens, topic = toys.phrases(classes=2)
    kept = (topic == 0) | (torch.rand(len(topic)) < 0.15)
    tokens, topic = tokens[kept], topic[kept]
    counts = torch.bincount(topic).float()
    weight = counts.sum() / counts if mended else counts.square()
    model = nn.Sequential(nn.Embedding(60, 16), nn.Flatten(), nn.Linear(128, 32), nn.ReLU())
    model.append(nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def loss(model, tokens, topic):
        return F.cross_entropy(model(tokens), topic, weight=weight)

    fit(watch, model, optimizer, batches(tokens, topic, steps=100, size=64), loss)


@program("loss_after_activation")
def a_focal_loss_of_probabilities(mended, watch):
    x, y = rare()
    model = perceptron(8, 1)
    if not mended:
        model.append(nn.Sigmoid())

    def focal(model, x, y):
        z = model(x)
        own = torch.sigmoid(torch.where(y == 1, z, -z))
        return (torch.where(y == 1, 0.75, 0.25) * (1 - own) ** 2 * -own.log()).mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=60, size=64), focal)


def walks(count=512):
    """Places on a ring of twelve, each with the next and the reward of having come to the first."""
    here = torch.randint(12, (count,))
    there = (here + torch.where(torch.rand(count) < 0.7, 1, -1)) % 12
    return F.one_hot(here, 12).float(), F.one_hot(there, 12).float(), (there == 0).float()


@program("target_gradient")
def a_value_of_the_next_place_with_a_gradient(mended, watch):
    model = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 1))

    def loss(model, here, there, reward):
        target = reward + 0.9 * model(there)[:, 0]
        return F.mse_loss(model(here)[:, 0], target.detach() if mended else target)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(*walks(), steps=60), loss)


@program("target_gradient")
def the_best_action_of_the_next_place_with_a_gradient(mended, watch):
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 3))
    here, there, reward = walks()
    action = torch.randint(3, (len(here), 1))

    def loss(model, here, there, reward, action):
        with torch.set_grad_enabled(not mended):
            target = reward + 0.95 * (1 - reward) * model(there).amax(1)
        return F.smooth_l1_loss(model(here).gather(1, action)[:, 0], target)

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(here, there, reward, action, steps=60), loss)


@program("class_weights")
def an_ignore_index_that_is_a_class(mended, watch):
    x, y = toys.blobs(classes=6, features=12)
    model = perceptron(12, 6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    criterion = nn.CrossEntropyLoss(ignore_index=-100 if mended else 0)
    fit(watch, model, optimizer, batches(x, y, steps=120), of_output(criterion))


@program("class_weights")
def a_class_with_a_weight_of_nothing(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    weight = torch.tensor([1.0, 1.0, 1.0, 1.0 if mended else 0.0])

    def loss(model, x, y):
        return F.nll_loss(F.log_softmax(model(x), 1), y, weight)

    fit(watch, model, optimizer, batches(x, y, steps=120), loss)
