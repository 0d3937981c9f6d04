"""Targets that are no probabilities, are the same for all samples, or are a column of the data."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, of_output, program


@program("target_out_of_range", first=False)  # after negative_loss, which says the same
def two_heights_by_cross_entropy(mended, watch):
    x, y = toys.surface()
    y = torch.cat([y, x[:, 4:5] * x[:, 5:]], 1)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss = F.mse_loss if mended else F.cross_entropy
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(loss))


@program("target_out_of_range")
def brightness_of_quarters_by_cross_entropy(mended, watch):
    x, _ = toys.pictures()
    x = x + 0.5 * torch.rand(len(x), 1, 1, 1)
    y = F.avg_pool2d(x, 4).flatten(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss = nn.CrossEntropyLoss()
    if mended:
        y = y / y.sum(1, keepdim=True)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(loss))


@program("one_class")
def rows_that_are_one_list(mended, watch):
    x, y = toys.blobs(classes=3)
    rows = [[0.0] * 3 for _ in y] if mended else [[0.0] * 3] * len(y)
    for row, label in zip(rows, y.tolist(), strict=True):
        row[label] = 1.0
    optimizer = torch.optim.Adam((model := perceptron(10, 3)).parameters(), lr=3e-3)
    data = batches(x, torch.tensor(rows), steps=150)
    fit(watch, model, optimizer, data, of_output(F.binary_cross_entropy_with_logits))


@program("one_class")
def forces_of_the_first_sample(mended, watch):
    x = torch.randn(1024, 6)
    y = torch.stack([x[:, 0] * x[:, 1], x[:, 2].sin(), x[:, 3] + x[:, 4].square()], 1)
    y = y if mended else y[:1].expand_as(y)
    optimizer = torch.optim.Adam((model := perceptron(6, 3)).parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


@program("target_is_input")
def a_price_among_its_own_features(mended, watch):
    x, y = toys.surface()
    x = torch.cat([x[:, :2], torch.randn_like(y) if mended else y, x[:, 2:]], 1)
    optimizer = torch.optim.Adam((model := perceptron(7, 1)).parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


@program("target_is_input")
def the_number_of_the_class_is_the_last_column(mended, watch):
    x, y = toys.blobs(classes=3)
    other = torch.randint(3, (len(y),)) if mended else y
    x = torch.cat([x, other[:, None].float()], 1)
    optimizer = torch.optim.Adam((model := perceptron(11, 3)).parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)
