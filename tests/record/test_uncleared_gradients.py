"""Of several optimizers, whether one takes its step with gradients of the step before."""

import pytest
import torch
from torch import nn

from layerscope.record.uncleared_gradients import UnclearedGradients


def kept(*, cleared, set_to_none=True, gathers=False):
    """What is said of each step of a loop with two networks and their optimizers, whose second
    loss leaves gradients in both.
    """
    one, two = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizers = [torch.optim.SGD(each.parameters(), lr=0.1) for each in (one, two)]
    followed, said = UnclearedGradients(), []

    def backward(output):
        output.register_hook(lambda _: followed.look())
        output.sum().backward()

    def step(which):
        followed.note_optimizer(optimizers[which])
        optimizers[which].step()

    for number in range(6):
        followed.begin(optimizers, looking=True)
        x = one(torch.ones(3, 2))
        if cleared and (number % 3 == 0 or not gathers):
            optimizers[1].zero_grad(set_to_none)
        backward(two(x.detach()))
        if number % 3 == 2 or not gathers:
            step(1)
        optimizers[0].zero_grad(set_to_none)
        backward(two(x))
        step(0)
        found = followed.take()
        said.append(None if found is None else found.get())
    return said


@pytest.mark.parametrize("set_to_none", [True, False])
def test_an_optimizer_whose_gradients_nobody_clears_is_told_of(set_to_none):
    assert kept(cleared=True, set_to_none=set_to_none) == [None, *[False] * 5]
    assert kept(cleared=False, set_to_none=set_to_none) == [None, *[True] * 5]


def test_gradients_that_are_gathered_over_several_steps_are_not():
    assert not any(kept(cleared=True, gathers=True))


def test_of_a_single_optimizer_nothing_is_said():
    followed = UnclearedGradients()
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    for _ in range(3):
        followed.begin([optimizer], looking=True)
        followed.note_optimizer(optimizer)
        assert followed.take() is None
