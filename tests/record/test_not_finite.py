"""Who has made the first value that is not finite, where a linear module and its function are one
layer: what the module gets is not looked at.
"""

import pytest
import torch
from torch import nn

from layerscope.record.network.in_sequence import givers
from tests.watching import watch_loop

HUGE = 3e38


def pair(width=8):
    return nn.Sequential(nn.Linear(width, width), nn.ReLU())


class Between(nn.Module):
    """A function stands before the second pair."""

    def __init__(self, function):
        super().__init__()
        self.first, self.second, self.function = pair(), pair(), function

    def forward(self, x):
        return self.second(self.function(self.first(x)))


def told(network, folder, spoil, at=3):
    """The finding of a loop in whose step `at` the network is spoiled before its forward pass."""
    torch.manual_seed(0)

    @torch.no_grad()
    def before(step, net):
        if step == at:
            spoil()

    watcher = watch_loop(network, folder, 6, lambda step: (torch.randn(16, 8),), before=before)
    return next(finding for finding in watcher.findings if finding.rule == "not_finite")


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(("which", "name"), [(0, "00_"), (1, "01_")])
def test_a_linear_module_that_overflows_within_its_pair_is_the_one_that_made_it(
    tmp_path, which, name, nested
):
    first, second = pair(), pair()
    chain = [first, nn.Dropout(0.1), second, nn.Linear(8, 2)]
    parts = chain if nested else [*first, chain[1], *second, chain[3]]
    network, linear = nn.Sequential(*parts), (first, second)[which][0]
    finding = told(network, tmp_path, lambda: linear.weight.fill_(HUGE))
    assert finding.layer.startswith(name)
    assert "from finite inputs" in finding.explanation
    assert "functions before it" not in finding.remedy


def test_a_function_before_a_pair_may_have_made_it(tmp_path):
    zero = torch.zeros(1)
    network = Between(lambda x: x / (1 - zero))
    finding = told(network, tmp_path, lambda: zero.fill_(1))
    assert finding.layer.startswith("01_")
    assert "from finite inputs" not in finding.explanation
    assert "functions before it" in finding.remedy


def test_a_pair_that_hands_on_what_it_got_is_not_the_one_that_made_it(tmp_path):
    network = nn.Sequential(*pair(), *pair(), nn.Linear(8, 2))
    finding = told(network, tmp_path, lambda: network[0].weight.fill_(HUGE))
    assert finding.layer.startswith("00_")


def test_a_parameter_before_a_pair_is_named_that_was_not_finite_before_the_first_step(tmp_path):
    class Token(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Parameter(torch.full((8,), torch.nan))
            self.body = nn.Sequential(*pair(), nn.Linear(8, 2))

        def forward(self, x):
            return self.body(x + self.token)

    finding = told(Token(), tmp_path, lambda: None)
    assert (finding.layer, finding.step) == ("00_token.token", 0)
    assert "before the very first step" in finding.explanation
    assert "lr" not in finding.remedy.split()


def test_a_module_in_two_places_gets_what_nobody_knows():
    shared = nn.Linear(2, 2)
    chain = nn.Sequential(nn.Tanh(), shared, nn.Linear(2, 2), shared)
    assert givers(chain) == {chain[2]: shared}
