"""What is told of the data that a network's first layers get."""

from dataclasses import replace

import pytest
import torch

from layerscope.figures.inputs import input_figures
from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Data


def data(values, normalized):
    return Data(Pending.at_hand(values), normalized)


def test_a_branch_of_constant_input_says_nothing_of_the_data():
    torch.manual_seed(0)
    samples, constant = torch.randn(64, 4).double(), torch.full((64, 3), 5.0).double()
    told = input_figures((data(constant, False), data(samples, True)))
    alone = input_figures((data(samples, True),))
    assert told == alone | {"inputs_normalized": 0.0}
    assert 0.8 < told["input_feature_spread"] < 1.2
    assert input_figures((data(constant, False),))["input_feature_spread"] == 0.0
    constant[0, 0] = torch.inf
    assert input_figures((data(constant, False), data(samples, True)))["input_nonfinite"] == 1.0


def test_inputs_that_are_all_zero_have_a_size_of_zero():
    zeros = torch.zeros(16, 3).double()
    told = input_figures((data(zeros, False),))
    assert (told["input_rms"], told["input_largest"]) == (0.0, 0.0)
    assert "input_rms" not in input_figures((data(zeros * torch.nan, False),))


@pytest.mark.parametrize(("size", "told"), [(1.0, 1.0), (2.0, 1.0), (100.0, 0.0), (0.01, 0.0)])
def test_a_layer_of_ones_own_that_gives_about_one_is_a_normalisation(size, told):
    values = 100 * torch.randn(64, 4, generator=torch.Generator().manual_seed(0)).double()
    seen = replace(data(values, False), given=Pending.at_hand(values * size / 100))
    assert input_figures((seen,))["inputs_normalized"] == told


def test_a_part_of_a_sequence_may_be_zero_and_a_sample_that_is_blank_is_told_of_whole_ones_only():
    zeros = data(torch.zeros(16, 20).double(), False)
    assert "input_rms" not in input_figures((zeros, replace(zeros, is_part=True)))
    blank = replace(zeros, blank=Pending.at_hand(torch.tensor(0.75)))
    assert input_figures((blank,))["input_blank"] == 0.75
    other = replace(blank, blank=Pending.at_hand(torch.tensor(0.25)))
    assert input_figures((blank, other))["input_blank"] == 0.25
    assert "input_blank" not in input_figures((blank, zeros))
    assert "input_blank" not in input_figures((blank, replace(blank, is_part=True)))


@pytest.mark.parametrize(
    ("size", "before", "told"), [(0.1, 100, 1), (0.1, 0.5, 0), (0.01, 100, 0), (0, 100, 1)]
)
def test_rows_of_length_one_are_a_normalisation_where_they_were_far_larger(size, before, told):
    values = torch.randn(64, 4, generator=torch.Generator().manual_seed(0)).double()
    seen = replace(data(before * values, False), given=Pending.at_hand(size * values))
    assert input_figures((seen,))["inputs_normalized"] == told
    both = input_figures((seen, data(2 * values, False)))
    assert (both["input_rms"] < 3) == (told or before < 1)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (lambda x: x / x.square().sum(1, keepdim=True).sqrt(), 1.0),
        (lambda x: x.abs() / x.abs().sum(1, keepdim=True), 1.0),
        (lambda x: x, 0.0),
        (lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True), 2.0),
        (lambda x: (x - x.mean(0)) / x.std(0), 0.0),
        (lambda x: (x - x.amin(1, keepdim=True)) / (x.amax(1) - x.amin(1))[:, None], 3.0),
        (lambda x: (x > 0) + 0.0, 0.0),
        (lambda x: (x - x.amin(0)) / (x.amax(0) - x.amin(0)), 0.0),
        (lambda x: x / x.square().sum(0).sqrt(), 0.0),
        (lambda x: (x / x.square().sum(1, keepdim=True).sqrt())[:7], 0.0),
        (lambda x: torch.nn.functional.one_hot((x[:, 0] > 0).long(), 5).double(), 0.0),
    ],
    ids=[
        *("of length 1", "of sum 1", "as they are", "of deviation 1", "columns of deviation 1"),
        *("of ends 0 and 1", "bits", "columns of ends 0 and 1", "columns", "too few", "mostly 0"),
    ],
)
def test_samples_that_were_scaled_by_their_own_numbers_are_seen(rows, told):
    values = rows(torch.randn(64, 5, generator=torch.Generator().manual_seed(0)).double())
    assert input_figures((data(values, False),))["input_rows_one"] == told


def test_samples_differ_in_size_unless_a_weight_can_do_what_a_bias_does():
    torch.manual_seed(0)
    samples = torch.randn(64, 4).double()

    def sizes(values):
        return input_figures((data(values, False),))["input_sizes"]

    assert 0.2 < sizes(samples) < 0.6
    assert sizes(samples / samples.norm(dim=1, keepdim=True)) == pytest.approx(0, abs=1e-9)
    assert sizes(torch.cat([samples, torch.ones(64, 1)], 1)) == 0
    assert sizes(torch.cat([samples, torch.zeros(64, 1)], 1)) > 0
    assert sizes(samples.abs() / samples.abs().sum(1, keepdim=True)) == 0
    assert sizes(torch.nn.functional.one_hot(torch.arange(64) % 5, 5).double()) == 0
    assert sizes(samples[:4]) != sizes(samples[:4])  # of so few nothing is known
