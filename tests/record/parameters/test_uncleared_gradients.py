"""Of several optimizers, whether one takes its step with gradients of the step before."""

import pytest
import torch
from torch import nn

from layerscope.record.parameters.uncleared_gradients import UnclearedGradients


def kept(*, cleared, set_to_none=True, gathers=False, losses=1, looking=True):
    """What is said of each step of a loop with two networks and their optimizers, whose last loss
    leaves gradients in both; the second optimizer's step comes after several losses, or none.
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
        followed.begin(optimizers, looking=looking and number != 2)
        x = one(torch.ones(3, 2))
        if cleared and (number % 3 == 0 or not gathers):
            optimizers[1].zero_grad(set_to_none)
        for _ in range(losses):
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
    for losses in (1, 2):
        of_loop = {"set_to_none": set_to_none, "losses": losses}
        assert kept(cleared=True, **of_loop) == [None, False, None, *[False] * 3]
        assert kept(cleared=False, **of_loop) == [None, True, None, *[True] * 3]


def test_a_step_that_no_loss_came_before_keeps_none():
    assert not any(kept(cleared=False, losses=0))


def test_nothing_is_said_of_a_step_that_is_not_looked_at():
    assert kept(cleared=False, looking=False) == [None] * 6


def test_a_parameter_of_two_optimizers_and_one_that_is_frozen_are_not_followed():
    both, frozen = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1), requires_grad=False)
    both.grad, frozen.grad = torch.ones(1), torch.ones(1)
    optimizers = [torch.optim.SGD(each, lr=0.1) for each in ([both, frozen], [both])]
    followed = UnclearedGradients()
    for _ in range(3):
        followed.begin(optimizers, looking=True)
        for each in optimizers:
            followed.note_optimizer(each)
        assert followed.take() is None


def test_gradients_that_are_gathered_over_several_steps_are_not():
    assert not any(kept(cleared=True, gathers=True))


def test_of_a_single_optimizer_nothing_is_said():
    followed = UnclearedGradients()
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    for _ in range(3):
        followed.begin([optimizer], looking=True)
        followed.note_optimizer(optimizer)
        assert followed.take() is None


@pytest.mark.parametrize("clears", [False, True])
def test_a_gradient_that_is_cleared_within_the_backward_pass_is_not_kept(clears):
    followed, now = UnclearedGradients(), {"clears": False}
    weights = [nn.Parameter(torch.ones(1)) for _ in range(2)]
    optimizers = [torch.optim.SGD([each], lr=0.1) for each in weights]
    weights[0].register_post_accumulate_grad_hook(
        lambda weight: setattr(weight, "grad", None if now["clears"] else weight.grad)
    )
    for now["clears"] in (False, clears):
        followed.begin(optimizers, looking=True)
        loss = 1 * weights[0]
        loss.register_hook(lambda _: followed.look())
        loss.sum().backward()
        for each in optimizers:
            followed.note_optimizer(each)
        found = followed.take()
    assert found.get() is not clears


def test_a_gradient_that_no_loss_was_added_to_is_none_that_was_not_cleared():
    followed, weights = UnclearedGradients(), [nn.Parameter(torch.ones(1)) for _ in range(2)]
    optimizers = [torch.optim.SGD([each], lr=0.1) for each in weights]
    weights[1].grad = torch.ones(1)
    for _ in range(2):
        followed.begin(optimizers, looking=True)
        loss = 1 * weights[0]
        loss.register_hook(lambda _: followed.look())
        loss.sum().backward()
        followed.note_optimizer(optimizers[1])
        found = followed.take()
    assert found.get() is False
