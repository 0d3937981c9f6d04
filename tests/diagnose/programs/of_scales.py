"""Programs in which one layer, or what the loss gets, has another scale than the rest."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Topics, cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, of_output, program


@program("temperature")
def logits_softened_as_for_a_student(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten()),
        nn.Linear(256, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    t = 1 if mended else 40

    def loss(model, x, y):
        return F.nll_loss(F.log_softmax(model(x) / t, dim=1), y)

    fit(watch, model, optimizer, batches(x, y), loss)


@program("temperature")
def two_topics_at_the_inverse_of_a_temperature(mended, watch):
    tokens, topic = toys.phrases(classes=2)
    optimizer = torch.optim.Adam((model := Topics(2)).parameters(), lr=3e-3)
    scale = 1.0 if mended else 1 / 64

    def loss(model, tokens, topic):
        return F.cross_entropy(scale * model(tokens), topic)

    fit(watch, model, optimizer, batches(tokens, topic), loss)


@program("large_weights")
def one_layer_drawn_from_a_standard_normal(mended, watch):
    x, y = toys.surface(features=12)
    model = nn.Sequential(
        *(nn.Linear(12, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()),
        *(nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 1)),
    )
    if not mended:
        nn.init.normal_(model[2].weight)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))


@program("large_weights")
def kernels_with_the_gain_of_their_area(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.GELU(), nn.Conv2d(8, 16, 3, padding=1), nn.GELU()),
        *(nn.Conv2d(16, 16, 3, padding=1), nn.GELU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()),
        nn.Linear(64, 4),
    )
    if not mended:
        nn.init.orthogonal_(model[4].weight, gain=3 * 3 * 16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("loss_after_activation")
def two_sigmoids_for_two_classes(mended, watch):
    x, y = toys.blobs(classes=2)
    model = perceptron(10, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss(model, x, y):
        scores = model(x)
        return F.cross_entropy(scores if mended else torch.sigmoid(scores), y)

    fit(watch, model, optimizer, batches(x, y), loss)


@program("loss_after_activation")
def a_score_between_0_and_1_for_each_topic(mended, watch):
    tokens, topic = toys.phrases(classes=5)
    optimizer = torch.optim.Adam((model := Topics(5)).parameters(), lr=3e-3)

    def loss(model, tokens, topic):
        scores = model(tokens)
        if not mended:
            scores = scores.sigmoid()
        return -scores.log_softmax(1).gather(1, topic[:, None]).mean()

    fit(watch, model, optimizer, batches(tokens, topic), loss)
