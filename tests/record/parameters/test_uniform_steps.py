"""Whether a step moves all elements of a bias by one number, whatever their gradients are."""

import pytest
import torch
from torch import nn

from layerscope.record.parameters.uniform_steps import UniformSteps


def network(units=12):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, units), nn.Tanh(), nn.Linear(units, 9))


def by_one_number(bias):
    bias.sub_(0.05)


def by_the_gradient(bias):
    bias.sub_(0.05 * bias.grad)


def by_its_sign(bias):
    bias.sub_(0.05 * bias.grad.sign())


def by_decay(bias):
    bias.mul_(0.9)


def by_nothing(bias):
    pass


def taken(net, move, *, announced, cleared, slopes=None, steps=1):
    """How many biases are told of a step."""
    uniform, told = UniformSteps(net), 0
    for _ in range(steps):
        uniform.begin()
        net(torch.randn(16, 4)).square().sum(1).mean().backward()
        for each in net.parameters():
            if slopes is not None and each.ndim == 1:
                each.grad = slopes(each)
        if announced:
            uniform.note_gradients()
        with torch.no_grad():
            for each in net.parameters():
                if each.ndim == 1:
                    move(each)
        if cleared:
            net.zero_grad()
        told = uniform.take()
    return told


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("cleared", [True, False])
@pytest.mark.parametrize(
    ("move", "told"),
    [(by_one_number, 2), (by_the_gradient, 0), (by_its_sign, 0), (by_decay, 0), (by_nothing, 0)],
)
def test_a_step_by_one_number_is_told_whether_gradients_are_left_or_not(
    announced, cleared, move, told
):
    assert taken(network(), move, announced=announced, cleared=cleared, steps=2) == told


@pytest.mark.parametrize("announced", [True, False])
def test_slopes_of_one_sign_may_move_all_elements_alike(announced):
    known = {"announced": announced, "cleared": announced}
    assert taken(network(), by_its_sign, slopes=torch.ones_like, **known) == 0
    assert taken(network(), by_one_number, slopes=torch.ones_like, **known) == 0


def test_units_that_are_all_alike_have_gradients_that_are():
    net = network()
    for each in net.parameters():
        nn.init.constant_(each, 0.1)
    assert taken(net, by_one_number, announced=False, cleared=True) == 0


def test_few_elements_and_frozen_ones_are_not_asked():
    assert taken(network(units=7), by_one_number, announced=True, cleared=True) == 1
    net = network()
    net[0].bias.requires_grad_(False)
    assert taken(net, by_one_number, announced=True, cleared=True) == 1


def test_a_step_that_is_not_looked_at_is_not_told_of():
    uniform = UniformSteps(network())
    uniform.note_gradients()
    assert uniform.take() == 0


def mobile_block():
    """Each channel is normalised again before it meets another: the first scales have no slope."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 12, 3, bias=False), nn.BatchNorm2d(12), nn.ReLU()),
        *(nn.Conv2d(12, 12, 3, groups=12, bias=False), nn.BatchNorm2d(12), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(12 * 16, 3)),
    )


@pytest.mark.parametrize("decay", [0.0, 1e-4, 1e-2])
def test_scales_that_decay_alone_have_not_lost_their_gradients(decay):
    net = mobile_block()
    optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9, weight_decay=decay)
    uniform, told = UniformSteps(net), []
    for _ in range(6):
        uniform.begin()
        optimizer.zero_grad()
        (0.02 * net(torch.randn(16, 1, 8, 8)).square().mean()).backward()
        uniform.note_gradients()
        optimizer.step()
        told.append(uniform.take())
    assert told == [0] * 6


def by_a_mean(bias):
    bias.sub_(0.05 * bias.grad.mean())


def test_equal_biases_that_a_step_moves_by_their_mean_slope_are_told_still():
    net = network()
    for place in (0, 2):
        nn.init.zeros_(net[place].bias)
    assert taken(net, by_a_mean, announced=True, cleared=False, steps=1) == 2
    assert taken(net, by_a_mean, announced=True, cleared=False, steps=4) == 2
