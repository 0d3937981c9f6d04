"""Of a tensor with many elements a random sample is counted; its moments are of all."""

import dataclasses

import numpy as np
import pytest
import torch

from layerscope.measure import Tally
from layerscope.measure.row_options import RowOptions
from tests.measure.cases import FINITE
from tests.measure.reference import held


def measured(tensor, **options):
    tally = Tally(RowOptions(1, **options))
    assert tally.add(0, tensor) is not None
    return tally


@pytest.mark.parametrize("name", ["normal", "relu of a normal", "float64", "subnormals"])
def test_a_sample_shows_the_shape_and_its_moments_are_exact(name):
    tensor = FINITE[name]
    exact = measured(tensor)
    sampled = measured(tensor, max_elements=20_000)
    histogram = held(sampled)
    assert dataclasses.asdict(histogram.moments) == pytest.approx(
        dataclasses.asdict(held(exact).moments), rel=1e-12
    )
    counted = int(histogram.counts.sum()) - histogram.moments.zeros
    share = 20_000 / tensor.numel()
    assert counted == pytest.approx(share * int((tensor != 0).sum()), rel=0.05)
    shown, expected = sampled.read(1).get().linear[0], exact.read(1).get().linear[0]
    assert shown[:, 2].sum() == tensor.numel()
    assert np.abs(shown[:, 2] - expected[:, 2]).sum() / 2 / tensor.numel() < 0.03


def test_another_sample_is_drawn_each_time():
    tally = Tally(RowOptions(2, max_elements=5_000))
    for row in (0, 1):
        tally.add(row, FINITE["normal"])
    one, other = held(tally), held(tally, 1)
    assert one.left_out > 0
    assert one.counts.tolist() != other.counts.tolist()


def test_a_tensor_within_the_sample_is_counted_whole():
    assert held(measured(FINITE["normal"], max_elements=FINITE["normal"].numel())).left_out == 0


def test_sampling_leaves_the_random_state_alone():
    state = torch.get_rng_state()
    measured(FINITE["normal"], max_elements=100)
    assert torch.equal(torch.get_rng_state(), state)
