"""Whether something else than the optimizer has written weights between two of its steps."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from layerscope.quantity import Quantity
from layerscope.record.channel import Channel
from layerscope.record.parameters.layer_parameter import LayerParameter
from layerscope.record.parameters.overwritten_weights import OverwrittenWeights


def counts(between, *layers, anew=False, steps=40, every=5):
    """(drawn, returned) of a training in which `between(network, step)` comes after each `every`
    steps; `anew`: with another optimizer from then on.
    """
    torch.manual_seed(0)
    layers = layers or (nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.Linear(16, 2))
    network = nn.Sequential(*layers)
    parameters = [
        LayerParameter(each, name, Channel(Quantity.WEIGHT, name))
        for name, each in network.named_parameters()
    ]
    followed = OverwrittenWeights()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for step in range(steps):
        if step and step % every == 0:
            between(network, step)
            if anew:
                optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
        optimizer.zero_grad()
        network(torch.randn(16, 8)).square().mean().backward()
        followed.choose(parameters)
        followed.arrive(optimizer)
        optimizer.step()
        followed.leave()
    counts.undone = followed.undone
    return followed.drawn, followed.returned


def drawn_anew(network, step):
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)


def drawn_by_its_data(network, step):
    for layer in network:
        if isinstance(layer, nn.Linear):
            layer.weight.data.normal_(0, 0.3)


def given_other_memory(network, step):
    for layer in network:
        if isinstance(layer, nn.Linear):
            layer.weight.data = 0.3 * torch.randn_like(layer.weight)


@pytest.mark.parametrize("draw", [drawn_anew, drawn_by_its_data, given_other_memory])
def test_weights_that_are_drawn_anew_are_counted_but_for_the_first_time(draw):
    assert counts(draw) == (6, 0)


def test_a_new_optimizer_may_begin_with_new_weights():
    assert counts(drawn_anew, anew=True) == (0, 0)


def test_weights_that_come_back_bit_for_bit_are_counted():
    kept = {}

    def load(network, step):
        if not kept:
            kept.update(copy.deepcopy(network.state_dict()))
        network.load_state_dict(kept)

    assert counts(load) == (0, 5)  # the first load changes nothing


def averaged(network, step):
    for parameter in network.parameters():
        with torch.no_grad():
            parameter.lerp_(0.9 * parameter + 0.02, 0.5)


def clamped(network, step):
    for parameter in network.parameters():
        parameter.data.clamp_(-0.1, 0.1)


def masked(network, step):
    for parameter in network.parameters():
        parameter.data *= parameter.abs() > parameter.abs().median()


def swapped_and_back(network, step):
    kept = copy.deepcopy(network.state_dict())
    drawn_anew(network, step)
    network.load_state_dict(kept)


def moved_to_a_copy(network, step):
    for parameter in network.parameters():
        parameter.data = parameter.data.clone()


def the_last_layer(network, step):
    nn.init.xavier_uniform_(network[-1].weight)


@pytest.mark.parametrize(
    "change", [averaged, clamped, masked, swapped_and_back, moved_to_a_copy, the_last_layer]
)
def test_what_leaves_most_of_the_weights_as_they_are_is_not(change):
    assert counts(change) == (0, 0)


def test_one_matrix_is_not_most_layers_and_a_network_may_have_none():
    assert counts(drawn_anew, nn.Linear(8, 2)) == (0, 0)
    assert counts(drawn_anew, nn.LayerNorm(8)) == (0, 0)


@pytest.mark.parametrize(("harmless", "told"), [(15, (4, 0)), (20, (0, 0))])
def test_what_writes_harmlessly_three_times_is_not_looked_at_any_more(harmless, told):
    """Of the first time nothing is compared."""

    def change(network, step):
        return averaged(network, step) if step <= harmless else drawn_anew(network, step)

    assert counts(change) == told


def test_the_counts_go_on_in_a_resumed_run():
    followed, other = OverwrittenWeights(), OverwrittenWeights()
    followed.drawn, followed.returned = 2, 1
    other.load_state(followed.state())
    assert (other.drawn, other.returned) == (2, 1)


def test_weights_in_half_precision_are_followed_too():
    layer = nn.Linear(8, 8).to(torch.bfloat16)
    other = nn.Linear(8, 8).to(torch.bfloat16)
    parameters = [
        LayerParameter(each.weight, name, Channel(Quantity.WEIGHT, name))
        for name, each in (("0", layer), ("1", other))
    ]
    followed = OverwrittenWeights()
    followed.choose(parameters)
    optimizer = torch.optim.SGD([each.parameter for each in parameters], lr=0.0)
    for _ in range(4):
        followed.arrive(optimizer)
        followed.leave()
        for each in parameters:
            each.parameter.data.normal_()
    assert followed.drawn == 2


@pytest.mark.parametrize(
    ("left", "told"), [(0.01, True), (0.09, True), (0.15, False), (0.0, False), (1.5, False)]
)
def test_steps_are_undone_where_a_tenth_or_less_of_each_is_left_and_not_nothing(left, told):
    before = {}

    def take_back(network, step):
        for weight in network.parameters():
            if step > 1:
                old = before[weight]
                weight.data = old + left * (weight.data - old)
            before[weight] = weight.data.clone()

    counts(take_back, every=1)
    assert (counts.undone > 30) == told
    assert told or counts.undone == 0


def test_a_step_that_is_left_whole_ends_the_row():
    before = {}

    def take_back(network, step):
        for weight in network.parameters():
            if step > 1 and step != 35:
                weight.data = before[weight] + 0.01 * (weight.data - before[weight])
            before[weight] = weight.data.clone()

    counts(take_back, every=1)
    assert counts.undone == 4


def test_what_clamps_masks_and_lengths_take_back_is_not_undone():
    def clamp(network, step):
        for weight in network.parameters():
            weight.data.clamp_(-0.02, 0.02)

    def mask(network, step):
        for weight in network.parameters():
            weight.data[weight.data.abs() < 0.3] = 0

    def unit(network, step):
        weight = network[2].weight.data
        weight /= weight.norm(dim=1, keepdim=True)

    for change in (clamp, mask, unit):
        counts(change, every=1)
        assert counts.undone == 0


def test_large_weights_are_compared_whatever_the_user_has_told_numpy():
    layers = [nn.Linear(8, 8, bias=False) for _ in range(2)]
    parameters = [
        LayerParameter(each.weight, name, Channel(Quantity.WEIGHT, name))
        for name, each in zip("01", layers, strict=True)
    ]
    followed = OverwrittenWeights()
    followed.choose(parameters)
    optimizer = torch.optim.SGD([each.parameter for each in parameters], lr=0.0)
    with np.errstate(all="raise"):  # the square of 1e30 is no float32
        for left in (1.0, 1.01, 1.02, 1.03):
            for each in parameters:
                each.parameter.data.fill_(left * 1e30)
            followed.arrive(optimizer)
            for each in parameters:
                each.parameter.data.fill_(2e30)
            followed.leave()
    assert followed.undone == 2  # the first two steps are there to compare with
