"""Numbers of a loss that want a gradient, and that nobody moves, are counted."""

import pytest
import torch
from torch import nn

from layerscope.record.graph.loss_graph import UntrainedLeaves


def nobody():
    return set()


def seen_twice(leaf, between=lambda: None):
    leaves = UntrainedLeaves()
    leaves.note([leaf])
    between()
    leaves.note([leaf])
    return leaves


@pytest.mark.parametrize("leaf", [torch.zeros(2, requires_grad=True), nn.Parameter(torch.ones(1))])
def test_one_that_is_what_it_was_at_the_first_look_counts(leaf):
    assert seen_twice(leaf).count(nobody) == 1


def test_one_that_was_seen_once_may_be_made_anew_at_each_step():
    leaves, leaf = UntrainedLeaves(), torch.zeros(2, requires_grad=True)
    leaves.note([leaf])
    assert leaves.count(nobody) == 0


def test_one_that_an_optimizer_has_does_not_count():
    leaf = torch.zeros(2, requires_grad=True)
    assert seen_twice(leaf).count(lambda: {id(leaf)}) == 0


def test_one_that_is_moved_by_hand_does_not_count():
    leaf = torch.zeros(2, requires_grad=True)
    assert seen_twice(leaf, lambda: leaf.data.add_(0.1)).count(nobody) == 0


def test_one_that_is_gone_does_not_count_nor_what_has_its_number_now():
    leaves, leaf = UntrainedLeaves(), torch.zeros(2, requires_grad=True)
    leaves.note([leaf])
    leaves.note([leaf])
    del leaf
    assert leaves.count(nobody) == 0


def test_numbers_that_are_made_at_each_step_are_not_gathered():
    leaves, kept = UntrainedLeaves(), [torch.zeros(1, requires_grad=True) for _ in range(200)]
    leaves.note(kept)
    leaves.note(kept)
    assert 0 < leaves.count(nobody) < 100
