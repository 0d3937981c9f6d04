"""One layer whose weights are far larger at the start than the others'."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import Program


def named(function=nn.ReLU, norm=nn.Identity, large=(3,), times=40):
    """The layers that the rule names in a network, some of whose weights are multiplied."""

    def run(_, watch):
        layers = [8, 16, 16, 16, 1]
        model = nn.Sequential()
        for inputs, outputs in pairwise(layers):
            model.extend([nn.Linear(inputs, outputs), norm(), function()])
        del model[-2:]  # behind the last layer
        for place in large:
            nn.init.normal_(model[place].weight, std=times * model[place].in_features ** -0.5)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        with watch(model) as scope:
            for _ in range(4):
                optimizer.zero_grad()
                loss = F.mse_loss(model(torch.randn(32, 8)), torch.randn(32, 1))
                loss.backward()
                optimizer.step()
                scope.step(loss)

    findings = judged(Program("", run), mended=False)
    return [each.layer for each in findings if each.rule == "large_weights"]


def test_the_layer_that_was_drawn_otherwise_is_named():
    assert named(large=(3,)) == ["02_linear"]
    assert named(large=(3,), times=5) == []


def test_weights_that_do_no_harm_or_that_others_tell_of_are_not():
    assert named(large=(0, 3, 6)) == []  # all alike
    assert named(large=(9,)) == []  # the last
    assert named(nn.Tanh, large=(3,)) == []  # saturated
    assert named(norm=lambda: nn.LayerNorm(16), large=(3,)) == []
