"""Whether each step got the same samples, in whatever order."""

import math

import pytest
import torch

from layerscope.figures.repeated_batch import WholeSet
from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Data
from layerscope.record.ends.network_data import summed_samples

PICTURES = torch.rand(300, 1, 8, 8)
ONE_HOT = torch.eye(20)[torch.randint(20, (300,))]


def in_another_order(data):
    return data[torch.randperm(len(data))]


def said(*batches, is_part=False):
    """What is said at each look, in which a first layer got such a batch."""
    whole = WholeSet()
    return [
        whole.see(
            [Data(Pending.at_hand(batch), False, None, len(batch), None, False, is_part, summed)]
        )
        for batch in batches
        for summed in [summed_samples(batch)]
    ]


@pytest.mark.parametrize("data", [PICTURES, ONE_HOT, 1e6 + torch.randn(300, 5)])
def test_the_same_samples_are_told_from_the_third_look_on_in_any_order(data):
    orders = [in_another_order(data) for _ in range(4)]
    assert said(*orders)[2:] == [300, 300]


@pytest.mark.parametrize("data", [PICTURES, ONE_HOT])
def test_another_batch_at_one_look_is_enough_to_be_silent_for_good(data):
    other = torch.cat([data[:-3], data[:3]])
    assert said(data, data, data, other, data)[2:] == [300, 0, 0]


def test_samples_of_the_same_mean_are_other_samples():
    data = torch.randn(300, 2)
    other = torch.stack([data[:, 0], data[:, 1].flip(0)], 1)
    assert said(data, data, other, data)[2:] == [0, 0]


def test_of_parts_of_one_sample_and_of_what_is_stored_otherwise_nothing_is_told():
    assert all(map(math.isnan, said(PICTURES, PICTURES, PICTURES, is_part=True)))
    assert summed_samples(torch.rand(4, 300).T) is None
    assert summed_samples(torch.rand(300)) is None
    assert summed_samples(torch.rand(1, 300)) is None


def test_two_looks_with_the_same_samples_may_be_chance():
    assert all(map(math.isnan, said(PICTURES, PICTURES)))
