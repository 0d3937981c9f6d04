"""Parameters of a module's own, whose values the forward pass takes without their graph."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program


class Sums(nn.Module):
    """Sets of [places, features], each place given the sum of what all others say to it."""

    def __init__(self, features, width, of):
        super().__init__()
        self.enter = nn.Linear(features, width)
        self.said = nn.Parameter(torch.randn(width, width) * width**-0.5)
        self.own = nn.Parameter(torch.randn(width, width) * width**-0.5)
        self.leave = nn.Linear(width, 1)
        self.of = of

    def forward(self, x):
        h = torch.relu(self.enter(x))
        others = h.sum(1, keepdim=True) - h
        h = torch.relu(F.linear(h, self.own) + F.linear(others, self.of(self.said)) / x.shape[1])
        return self.leave(h.mean(1))


@program("no_gradient")
def what_others_say_is_weighted_by_data_of_a_parameter(mended, watch):
    x = torch.randn(512, 5, 6)
    y = x.square().sum(2).max(1, keepdim=True).values
    y = (y - y.mean()) / y.std()
    model = Sums(6, 24, of=lambda weight: weight if mended else weight.data)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


class Powers(nn.Module):
    """A sum of powers of a chain's neighbourhood, each with weights of its own, in a list."""

    def __init__(self, features, width, classes):
        super().__init__()
        sizes = [torch.randn(features, width) * features**-0.5 for _ in range(3)]
        self.weights = nn.ParameterList(map(nn.Parameter, sizes))
        self.head = nn.Linear(width, classes)

    def forward(self, x, weights):
        around, total = x, 0
        for weight in weights(self.weights):
            total = total + around @ weight
            around = (around.roll(1, 1) + around.roll(-1, 1)) / 2
        return self.head(F.gelu(total).mean(1))


@program("no_gradient")
def filters_of_a_list_are_detached_on_the_way(mended, watch):
    x, y = toys.blobs(features=8)
    x = x[:, None] + 0.5 * torch.randn(len(x), 6, 8)
    model = Powers(8, 16, 4)

    def loss_of(model, x, y):
        def weights(own):
            return own if mended else [each.detach() for each in own]

        return F.cross_entropy(model(x, weights), y)

    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), loss_of)
