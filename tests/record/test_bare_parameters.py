"""A parameter that is not finite is named, whichever module it belongs to."""

import pytest
import torch
from torch import nn

from tests.watching import watch_loop


class Experts(nn.Module):
    """The weights of all experts in one parameter, beside a router that is a module of its own."""

    def __init__(self, width=8, experts=4):
        super().__init__()
        self.router = nn.Linear(width, experts)
        self.bank = nn.Parameter(torch.randn(experts, width, width) / width)

    def forward(self, x):
        return torch.einsum("bi,eij,be->bj", x, self.bank, self.router(x).softmax(1))


class WithPositions(nn.Module):
    """What it adds to the data is a parameter that no layer has."""

    def __init__(self, width=8):
        super().__init__()
        self.places = nn.Parameter(torch.zeros(width))
        self.first = nn.Linear(width, width)

    def forward(self, x):
        return self.first(x + self.places)


def told(network, spoil, folder):
    """The finding of a loop in whose third step the network is spoiled between two updates."""
    torch.manual_seed(0)

    @torch.no_grad()
    def before(step, net):
        if step == 3:
            spoil()

    watcher = watch_loop(network, folder, 6, lambda step: (torch.randn(16, 8),), before=before)
    return next(finding for finding in watcher.findings if finding.rule == "not_finite")


def test_experts_in_one_parameter_are_named_where_one_number_of_them_is_nan(tmp_path):
    experts = Experts()
    network = nn.Sequential(nn.Linear(8, 8), experts, nn.Linear(8, 2))
    finding = told(network, lambda: experts.bank[1, 2, 3].fill_(torch.nan), tmp_path)
    assert (finding.layer, finding.step, finding.value) == ("01_experts.bank", 3, 1)
    assert "a parameter" in finding.explanation


def test_a_parameter_that_is_added_to_the_data_is_named_and_not_the_data(tmp_path):
    network = WithPositions()
    finding = told(network, lambda: network.places[:2].fill_(torch.inf), tmp_path)
    assert (finding.layer, finding.value) == ("00_withpositions.places", 2)


@pytest.mark.parametrize("layer", [0, 2])
def test_a_layer_whose_own_weights_are_nan_is_named_as_before(layer, tmp_path):
    network = nn.Sequential(nn.Linear(8, 8), Experts(), nn.Linear(8, 2))
    finding = told(network, lambda: network[layer].weight[0].fill_(torch.nan), tmp_path)
    assert finding.layer == {0: "00_linear", 2: "03_linear"}[layer]
    assert "because its weights are not" in finding.explanation
