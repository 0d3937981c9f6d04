"""What dropouts and batch normalisations do in training."""

import math

import pytest
import torch
from torch import nn

from layerscope.record.network.two_modes import TwoModes


@pytest.mark.parametrize(
    ("momentum", "seen"), [(0.1, 0.1), (0.99, 0.99), (0.0, 0.0), (None, math.nan)]
)
def test_the_momentum_of_a_normalisation_counts_where_it_keeps_statistics(momentum, seen):
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, momentum=momentum), nn.Dropout(0.3))
    network(torch.randn(8, 2))
    assert TwoModes(network).norm_momentum == pytest.approx(seen, nan_ok=True)
    network.eval()
    assert math.isnan(TwoModes(network).norm_momentum)


def test_a_momentum_that_is_0_for_a_while_has_kept_what_came_before():
    network = nn.BatchNorm1d(2)
    network(torch.randn(8, 2))
    network.momentum = 0.0
    assert math.isnan(TwoModes(network).norm_momentum)


def test_frozen_parts_may_be_in_evaluation():
    frozen = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).requires_grad_(False).eval()
    modes = TwoModes(nn.Sequential(frozen, nn.Linear(2, 2), nn.Dropout(0.3)))
    assert (modes.dropout, modes.evaluation_share) == (0.3, 0)


def test_statistics_that_fine_tuning_keeps_are_no_forgotten_evaluation():
    """As in mmdetection's norm_eval: trained scales, in blocks that train."""
    network = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), nn.Dropout(0.3))
    network[0][1].eval()
    assert TwoModes(network).evaluation_share == 0
    network[0].eval()
    assert TwoModes(network).evaluation_share == 0.5
    network.eval()
    assert TwoModes(network).evaluation_share == 1


def test_the_dropout_between_the_layers_of_a_recurrent_stack_is_one():
    network = nn.Sequential(nn.Dropout(0.1), nn.GRU(2, 2, num_layers=2, dropout=0.95))
    modes = TwoModes(network)
    assert modes.dropout == 0.95
    network.eval()
    assert modes.dropout == 0


def test_the_module_that_drops_most_is_named_by_its_path():
    stack = nn.LSTM(2, 2, num_layers=2, dropout=0.7)
    network = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.3)), stack)
    assert TwoModes(network).dropout_at == "1 (LSTM)"
    stack.eval()
    assert TwoModes(network).dropout_at == "0.1 (Dropout)"
    network.eval()
    assert TwoModes(network).dropout_at == ""
