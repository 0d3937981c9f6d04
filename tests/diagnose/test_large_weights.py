"""One layer whose weights are far larger at the start than the others'."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import Program
from tests.usual_step import descend


def named(*, large, norm=nn.Identity, layers=(8, 16, 16, 16, 1)):
    """The layers that the rule names in a network, some of whose weights are 40 times as large."""

    def run(_, watch):
        model = nn.Sequential()
        for inputs, outputs in pairwise(layers):
            model.extend([nn.Linear(inputs, outputs), norm(), nn.ReLU()])
        del model[-2:]  # behind the last layer
        for place in large:
            nn.init.normal_(model[place].weight, std=40 * model[place].in_features ** -0.5)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        with watch(model) as scope:
            for _ in range(4):
                descend(scope, optimizer, F.mse_loss(model(torch.randn(32, 8)), torch.randn(32, 1)))

    findings = judged(Program("", run), mended=False)
    return [each.layer for each in findings if each.rule == "large_weights"]


def test_the_layer_that_was_drawn_otherwise_is_named_and_the_last_is_not():
    assert named(large=(3, 9)) == ["02_linear"]


def test_a_normalisation_that_divides_by_large_weights_keeps_them_from_harm():
    assert named(norm=lambda: nn.LayerNorm(16), large=(3,)) == []


def test_of_two_layers_the_one_beyond_all_usual_sizes_is_named():
    assert named(large=(0,), layers=(8, 16, 1)) == ["00_linear"]
    assert named(large=(0, 3), layers=(8, 16, 1)) == []  # as is a net that is drawn from N(0, 1)
