"""What optimizers have of a network, and at which learning rates."""

import math

import pytest
import torch
from torch import nn

from layerscope.record.parameters.ownership import ownership


def figures(network, *optimizers):
    return ownership(network, optimizers).figures


def test_parameters_know_the_share_of_the_largest_rate_that_their_group_has():
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    first, last = network.parameters()
    groups = [{"params": [first], "lr": 1e-5}, {"params": [last], "lr": 1e-2}]
    shares = ownership(network, [torch.optim.SGD(groups)]).rate_shares
    assert shares == {id(first): 1e-5 / 1e-2, id(last): 1.0}


def test_where_all_groups_have_one_rate_there_are_no_shares():
    network = nn.Linear(2, 2)
    groups = [{"params": [network.weight]}, {"params": [network.bias], "weight_decay": 0.1}]
    assert ownership(network, [torch.optim.SGD(groups, lr=0.1)]).rate_shares == {}


def test_what_no_optimizer_has_and_what_is_not_the_networks_is_counted():
    network, other = nn.Linear(3, 1), nn.Linear(1, 1)
    given = [network.weight, *other.parameters()]
    known = ownership(network, [torch.optim.SGD(given, lr=0.1)])
    assert (known.figures["unowned_share"], known.figures["foreign"]) == (0.25, 2)


def test_the_ratio_of_betas_is_the_largest_of_any_group():
    network = nn.Linear(2, 2)
    groups = [{"params": [network.weight]}, {"params": [network.bias], "betas": (0.999, 0.81)}]
    assert figures(network, torch.optim.Adam(groups))["beta_ratio"] == pytest.approx(0.999 / 0.9)
    assert figures(network, torch.optim.SGD(network.parameters()))["beta_ratio"] == 0


def test_a_second_beta_of_nothing_averages_one_square_and_none_is_no_average():
    network = nn.Linear(2, 2)
    groups = [{"params": [network.weight]}, {"params": [network.bias], "betas": (0.9, 0.0)}]
    of_adam = figures(network, torch.optim.Adam(groups))
    assert of_adam["squares_averaged"] == 1
    assert 1e5 < of_adam["beta_ratio"] < 1e6
    usual = figures(network, torch.optim.Adam(network.parameters()))
    assert usual["squares_averaged"] == pytest.approx(1000)
    assert figures(network, torch.optim.SGD(network.parameters()))["squares_averaged"] == 0


def test_the_epsilon_of_adam_counts_and_none_of_others():
    network = nn.Linear(3, 2)
    adam = torch.optim.Adam([{"params": [network.weight]}, {"params": [network.bias], "eps": 0.1}])
    assert figures(network, adam)["epsilon"] == 0.1
    others = (
        torch.optim.Adagrad(network.parameters(), eps=0.1),
        torch.optim.Adafactor([network.bias]),
    )
    assert figures(network, *others)["epsilon"] == 0


def test_the_rate_of_torchs_own_optimizers_is_known_if_none_is_asked_for():
    class Own(torch.optim.SGD):
        def __init__(self, parameters, lr=7.0):
            super().__init__(parameters, lr)

    network = nn.Linear(3, 2)
    for kind, rate in ((torch.optim.Adadelta, 1.0), (torch.optim.Adam, 1e-3)):
        assert figures(network, kind(network.parameters(), lr=0.5))["rate_default"] == rate
    assert math.isnan(figures(network, Own(network.parameters()))["rate_default"])


def test_an_epsilon_that_float16_rounds_to_zero_is_lost():
    network = nn.Linear(3, 2)
    assert not figures(network, torch.optim.Adam(network.parameters()))["epsilon_lost"]
    network.bias.data = network.bias.data.half()
    for epsilon, lost in ((1e-8, True), (2.0**-25, True), (4e-8, False), (1e-4, False)):
        for kind in (torch.optim.Adam, torch.optim.RMSprop):
            optimizer = kind(network.parameters(), eps=epsilon)
            assert figures(network, optimizer)["epsilon_lost"] == lost
    assert not figures(network, torch.optim.SGD(network.parameters()))["epsilon_lost"]
