"""A layer that is called in the place of another, which nothing calls."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.watching import watch_loop


class Heads(nn.Module):
    """A body and heads of one shape; `forward` is what a test gives."""

    def __init__(self, forward):
        super().__init__()
        self.body, self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 2), nn.Linear(6, 2)
        self.wide = nn.Linear(6, 3)
        self.compute = forward

    def forward(self, x):
        return self.compute(self, torch.tanh(self.body(x)))


def told(forward, folder, change=lambda network: None):
    """What is said of a layer that is called in another's place; None if nothing is."""
    network = Heads(forward)
    change(network)
    watcher = watch_loop(network, folder, 4)
    assert not any(len(each._forward_pre_hooks) for each in network.modules())
    found = [each for each in watcher.findings if each.rule == "modules_repeated"]
    return found[0] if found else None


def test_one_head_in_two_places_beside_one_in_none_is_a_warning(tmp_path):
    found = told(lambda n, h: torch.cat([n.a(h), n.a(h)], 1), tmp_path)
    assert (found.severity, found.layer) == ("warning", "01_a")
    assert "02_b, of the same kind and shapes" in found.explanation
    assert found.remedy.startswith("in forward, call 02_b")


def frozen(network):
    network.b.requires_grad_(False)


def other_shape(network):
    network.b = nn.Linear(6, 1)


@pytest.mark.parametrize(
    ("forward", "change"),
    [
        (lambda n, h: torch.cat([n.a(h), n.b(h)], 1), lambda _: None),
        (lambda n, h: n.a(h), lambda _: None),
        (lambda n, h: torch.cat([n.a(h), n.a(h + 1)], 1), lambda _: None),  # other inputs
        (lambda n, h: torch.cat([n.a(h), n.a(h)], 1), frozen),
        (lambda n, h: torch.cat([n.a(h), n.a(h)], 1), other_shape),
        (lambda n, h: checkpoint(n.a, h, use_reentrant=False), lambda _: None),
    ],
)
def test_what_may_be_meant_is_not_told_of(forward, change, tmp_path):
    assert told(forward, tmp_path, change) is None


def test_a_head_that_is_called_later_was_not_forgotten(tmp_path):
    calls = []

    def forward(network, h):
        calls.append(0)
        second = network.a if len(calls) < 4 else network.b
        return torch.cat([network.a(h), second(h)], 1)

    assert told(forward, tmp_path) is None
