"""One activation object that a forward calls in several places."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from layerscope.record.hooked_layers import MOST_PLACES
from tests.record.functions.test_functions import Watched

ACTIVATION, GRADIENT = "activation", "activation_grad"


class Shares(nn.Module):
    """One function behind two layers of different widths, the second of which gives -9."""

    def __init__(self, function=None):
        super().__init__()
        torch.manual_seed(0)
        self.function = nn.ReLU() if function is None else function
        self.first, self.second, self.last = nn.Linear(4, 6), nn.Linear(6, 3), nn.Linear(3, 2)
        nn.init.zeros_(self.second.weight)
        nn.init.constant_(self.second.bias, -9.0)

    def forward(self, x):
        return self.last(self.function(self.second(self.function(self.first(x)))))


class Sine(nn.Module):
    def forward(self, x):
        return x.sin()


def outputs(measured):
    return {name: moments for (kind, name), moments in measured.items() if kind == ACTIVATION}


def test_each_place_is_a_layer():
    x = torch.randn(5, 4)
    with Watched(Shares()) as watched:
        for _ in range(3):
            of_step = watched.step(x)
        measured = outputs(of_step)
    assert measured["00_function"].count == 5 * 6
    assert measured["00_function"].maximum == watched.network.first(x).relu().max().item()
    dead = measured["02_second/relu"]
    assert (dead.count, dead.minimum, dead.maximum) == (5 * 3, 0, 0)
    assert of_step[GRADIENT, "02_second/relu"].count == 5 * 3
    assert watched.names() == ["02_second/relu"]
    assert [each.features for each in watched.recorder.plan.outputs if each.order >= 0] == [
        (6, 6), (4, 6), (6, 3), (3, 3), (3, 2)
    ]  # fmt: skip


def test_micro_batches_add_up_in_each_place():
    with Watched(Shares()) as watched:
        watched.recorder.state.counting = True
        watched.functions.begin(True)
        for _ in range(2):
            watched.network(torch.randn(5, 4)).sum().backward()
        moments = watched.recorder.observe(0).moments()
    counts = {c.layer: m.count for c, m in moments.items() if c.quantity.value == ACTIVATION}
    assert (counts["00_function"], counts["02_second/relu"]) == (2 * 5 * 6, 2 * 5 * 3)


def test_a_function_of_ones_own_has_places_too():
    with Watched(Shares(Sine())) as watched:
        watched.step(torch.randn(5, 4))
    assert watched.names() == ["02_second/sine"]


def test_a_loop_over_time_and_calls_in_a_row_are_one_place():
    class Unrolled(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.act = nn.Linear(4, 4), nn.Tanh()

        def forward(self, x):
            for _ in range(5):
                x = self.act(self.act(self.cell(x)))
            return x

    with Watched(Unrolled()) as watched:
        measured = outputs(watched.step(torch.randn(3, 4)))
    assert watched.names() == []
    assert measured["01_act"].count == 10 * 3 * 4


def test_a_function_with_parameters_is_one_layer():
    with Watched(Shares(nn.PReLU())) as watched:
        measured = outputs(watched.step(torch.randn(5, 4)))
    assert watched.names() == []
    assert measured["00_function"].count == 5 * 6 + 5 * 3


def test_a_checkpoint_that_computes_again_finds_no_other_place():
    class Again(Shares):
        def forward(self, x):
            x = checkpoint(self.first, x, use_reentrant=True)
            x = checkpoint(self.function, x, use_reentrant=True)
            return self.last(self.function(self.second(x)))

    with Watched(Again()) as watched:
        measured = watched.step(torch.randn(5, 4, requires_grad=True))
    assert watched.names() == ["02_second/relu"]
    assert measured[GRADIENT, "00_function"].count == 5 * 6


def test_a_network_that_calls_it_everywhere_has_an_end():
    class Wandering(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(MOST_PLACES + 9))
            self.act = nn.ReLU()

        def forward(self, x):
            for layer in self.layers:
                x = self.act(layer(x))
            return x

    with Watched(Wandering()) as watched:
        watched.step(torch.randn(3, 2))
    assert len(watched.names()) == MOST_PLACES


def test_ranks_that_reach_different_places_come_to_the_same_layers():
    class Forked(Shares):
        def forward(self, x):
            x = self.function(self.first(x))
            return self.last(self.function(self.second(x)) if self.goes_on else x[:, :3])

    ranks = [Watched(Forked(Sine())), Watched(Forked(Sine()))]
    for rank, goes_on in zip(ranks, (True, False), strict=True):
        rank.network.goes_on = goes_on
        with rank:
            rank.recorder.state.counting = True
            rank.functions.begin(True)
            rank.network(torch.randn(5, 4)).sum().backward()
    functions = [each for rank in ranks for each in rank.recorder.hooked.functions()]
    found = [each for rank in ranks for each in rank.recorder.hooked.found()]
    for rank in ranks:
        rank.layers.meet_others(functions)
        rank.recorder.settle(found)
    assert ranks[0].recorder.plan.channels == ranks[1].recorder.plan.channels
    with ranks[1] as second:
        second.network.goes_on = True
        measured = outputs(second.step(torch.randn(5, 4)))
    assert second.names() == ["02_second/sine"]
    assert measured["02_second/sine"].count == 5 * 3
