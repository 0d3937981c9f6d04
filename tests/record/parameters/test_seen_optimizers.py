"""Which optimizers were seen, and what they have."""

import pytest
import torch
from torch import nn

from layerscope.record.parameters.ownership import given_to
from layerscope.record.parameters.seen_optimizers import SeenOptimizers


def sgd(*modules, momentum=0.0):
    parameters = [each for module in modules for each in module.parameters()]
    return torch.optim.SGD(parameters, lr=0.1, momentum=momentum)


def test_one_that_is_made_anew_for_the_same_parameters_takes_the_place_of_the_one_before():
    network, seen = nn.Linear(2, 2), SeenOptimizers()
    for _ in range(3):
        seen.note(sgd(network))
    assert len(seen.of_network) == 1
    assert seen.figures() == {"optimizers": 1.0, "optimizers_replaced": 2.0, "goes_on": 0.0}


def test_two_that_take_turns_on_the_same_parameters_replace_each_other_once():
    network, seen = nn.Linear(2, 2), SeenOptimizers()
    two = sgd(network), sgd(network)
    for step in range(6):
        seen.note(two[step % 2])
    assert seen.figures()["optimizers_replaced"] == 1.0


def test_two_of_different_parameters_are_two():
    first, second, seen = nn.Linear(2, 2), nn.Linear(2, 2), SeenOptimizers()
    seen.note(sgd(first))
    seen.note(sgd(second))
    assert seen.figures()["optimizers"] == 2.0
    assert seen.owned() == {id(each) for module in (first, second) for each in module.parameters()}


@pytest.mark.parametrize(
    ("optimizer", "goes_on"),
    [
        (lambda network: sgd(network), False),
        (lambda network: sgd(network, momentum=0.9), True),
        (lambda network: torch.optim.Adam(network.parameters()), True),
    ],
)
def test_a_training_goes_on_where_an_optimizer_has_a_state_before_its_first_step_is_seen(
    optimizer, goes_on
):
    network = nn.Linear(2, 2)
    used = optimizer(network)
    seen = SeenOptimizers()
    seen.arrive_first(used)
    assert not seen.go_on
    network(torch.ones(1, 2)).sum().backward()
    used.step()
    seen.note(used)
    assert not seen.go_on  # as of one that has called a closure
    seen.arrive_first(used)
    assert seen.go_on is goes_on


def test_what_is_added_to_an_optimizer_later_is_owned_too():
    first, second, seen = nn.Linear(2, 2), nn.Linear(2, 2), SeenOptimizers()
    optimizer = sgd(first)
    seen.note(optimizer)
    optimizer.add_param_group({"params": list(second.parameters())})
    assert seen.owned() == set(given_to(optimizer))
    assert len(seen.owned()) == 4


def test_one_of_another_network_that_steps_without_gradients_was_meant_to_have_this_ones():
    other, seen = nn.Linear(2, 2), SeenOptimizers()
    in_vain = sgd(other)
    seen.note_other(in_vain, looking=False)
    assert not seen.take()  # nobody was looking
    seen.note_other(in_vain, looking=True)
    assert seen.take() == [in_vain]
    assert not seen.take()  # of that step only
    other(torch.ones(1, 2)).sum().backward()
    seen.note_other(in_vain, looking=True)
    assert not seen.take()
    assert seen.figures()["optimizers"] == 1.0
    assert seen


def test_of_several_of_another_network_and_one_of_this_it_is_this_ones_that_is_compared():
    network, other, seen = nn.Linear(2, 2), nn.Linear(2, 2), SeenOptimizers()
    assert not seen
    own = sgd(network)
    seen.note_other(sgd(other), looking=True)
    seen.note(own)
    assert seen.take() == [own]
    assert seen.figures()["optimizers"] == 2.0
