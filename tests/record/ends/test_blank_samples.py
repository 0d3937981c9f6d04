"""Samples that are one number throughout, and tensors that come again."""

import pytest
import torch

from layerscope.record.ends.network_data import blank_share
from layerscope.record.ends.origins import Origins


def share(data):
    found = blank_share(data)
    return None if found is None else float(found.get())


@pytest.mark.parametrize("number", [0.0, 1.0, -0.5])
@pytest.mark.parametrize("shape", [(20,), (1, 6, 6)])
def test_the_share_of_samples_that_are_one_number_is_that_of_all(number, shape):
    data = torch.randn(16, *shape)
    assert share(data) == 0.0
    data[3:15] = number
    assert share(data) == 12 / 16


def test_samples_that_are_each_a_number_of_its_own_say_which_it_is():
    data = torch.randn(16, 1).expand(-1, 20)
    assert share(data) == 0.0
    assert share(torch.zeros(16, 20)) == 0.0


def test_rows_with_one_number_that_differs_are_not_blank():
    assert share(torch.eye(16, 20)) == 0.0


def test_samples_that_have_the_blank_ones_number_among_others_are_not_blank():
    data = 1 + torch.rand(16, 20)
    data[:, 0] = 0.0
    data[:6] = 0.0
    assert share(data) == 6 / 16


def test_of_two_numbers_it_is_the_share_of_one():
    data = torch.rand(16, 20)
    data[:7], data[7:13] = 0.0, 5.0
    assert share(data) == 7 / 16


def test_of_few_samples_or_few_numbers_nothing_is_said():
    assert share(torch.zeros(7, 20)) is None
    assert share(torch.zeros(16, 15)) is None
    assert share(torch.zeros(16)) is None


def test_of_large_samples_the_first_ones_are_looked_at():
    data = torch.rand(9, 2**17)
    data[:6] = 0.0
    assert share(data) == 6 / 8


def test_nan_is_no_number():
    data = torch.randn(16, 20)
    data[:12] = torch.nan
    assert share(data) == 0.0


def test_a_tensor_that_comes_again_is_the_same_and_so_is_a_view_of_it():
    origins, data = Origins(), torch.randn(4, 3)
    assert not origins.is_same("here", data)
    assert origins.is_same("here", data)
    assert origins.is_same("here", data[:2])
    assert not origins.is_same("there", data)
    assert not origins.is_same("here", data.clone())


def test_a_tensor_that_is_gone_is_no_other_that_takes_its_place():
    origins = Origins()
    assert not any(origins.is_same("here", torch.zeros(4, 3)) for _ in range(5))
