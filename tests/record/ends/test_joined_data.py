"""Data that a network joins with what has a gradient before any layer gets them."""

import pytest
import torch
from torch import nn

from tests.record.ends.test_network_ends import X, watched

KINDS = torch.arange(16) % 5


class Joining(nn.Module):
    """Joins its parts along an axis: "x" is the data, "e" an embedding."""

    def __init__(self, parts, axis=1, before=False):
        super().__init__()
        self.parts, self.axis, self.kind = parts, axis, nn.Embedding(5, 4)
        self.before = nn.Linear(4, 4) if before else nn.Identity()
        self.layer = nn.Linear(4 * (len(parts) if axis % 2 else 1), 3)

    def forward(self, x):
        here = {"x": lambda: x, "e": lambda: self.kind(KINDS), "b": lambda: self.before(x)}
        return self.layer(torch.cat([here[each]() for each in self.parts], self.axis))


@pytest.mark.parametrize("parts", ["xe", "ex", "exe"])
@pytest.mark.parametrize("axis", [1, -1])
def test_data_beside_an_embedding_are_seen_as_a_part_of_what_the_first_layer_gets(parts, axis):
    network = Joining(parts, axis)
    ends = watched(network)
    for _ in range(2):  # the first step searches
        network(X).sum().backward()
        (data,) = ends.take().data
        assert data.is_part
        assert torch.equal(data.values, X)


@pytest.mark.parametrize(("parts", "axis"), [("xex", 1), ("xe", 0), ("ee", 1)])
def test_two_parts_or_samples_of_several_kinds_are_no_data(parts, axis):
    network = Joining(parts, axis)
    ends = watched(network)
    network(X).sum().backward()
    assert not ends.take().data


def test_data_that_some_layer_gets_alone_are_not_looked_for_in_what_is_joined():
    network = Joining("xb", before=True)
    ends = watched(network)
    network(X).sum().backward()
    (data,) = ends.take().data
    assert not data.is_part


def test_what_comes_in_evaluation_is_not_compared_with_a_part():
    network = Joining("xe")
    ends = watched(network)
    network(X).sum().backward()
    ends.take()
    with torch.no_grad():
        network.eval()(X)
    assert not ends.take().evaluated
