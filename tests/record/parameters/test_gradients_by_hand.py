"""Of a loop without an optimizer, whether it adds to the gradients of the step before."""

import pytest
import torch
from torch import nn

from layerscope.quantity import Quantity
from layerscope.record.channel import Channel
from layerscope.record.parameters.layer_parameter import LayerParameter
from layerscope.record.parameters.uncleared_gradients import GradientsByHand


def kept(clear, *, moves=lambda step: True, steps=6):
    """What is said of each step of gradient descent in which `clear(parameter)` comes last."""
    layer = nn.Linear(3, 2)
    of_layer = [
        LayerParameter(layer.weight, "0", Channel(Quantity.WEIGHT, "0")),
        LayerParameter(layer.bias, "0", Channel(Quantity.BIAS, "0")),
    ]
    followed, said = GradientsByHand(), []
    for step in range(steps):
        output = layer(torch.randn(4, 3))
        output.register_hook(lambda _: followed.look())
        output.square().sum().backward()
        for parameter in layer.parameters():
            if moves(step):
                parameter.data.sub_(0.01 * parameter.grad)
            clear(parameter)
        followed.remember(of_layer)
        said.append(followed.take())
    return said


def test_gradients_that_nobody_clears_are_told_of_once_two_steps_are_over():
    assert kept(lambda parameter: None) == [None, None, *[True] * 4]


@pytest.mark.parametrize(
    "clear", [lambda p: p.grad.zero_(), lambda p: p.grad.data.zero_(), lambda p: p.grad.mul_(0.0)]
)
def test_those_that_are_cleared_in_place_are_not(clear):
    assert kept(clear) == [None, None, *[False] * 4]


def test_nor_those_that_are_taken_away():
    assert not any(kept(lambda parameter: setattr(parameter, "grad", None)))


def test_gradients_that_are_gathered_before_the_weights_move_are_meant():
    def clear_all(parameter):
        if step[0] % 4 == 3:
            parameter.grad = None

    step = [-1]

    def moves(now):
        step[0] = now
        return now % 4 == 3

    assert not any(kept(clear_all, moves=moves, steps=12))
