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


class Written(nn.Module):
    def __init__(self, mean="moving_mean", variance="moving_var", updates=False):
        super().__init__()
        self.weight, self.names, self.updates = (
            nn.Parameter(torch.ones(2)),
            (mean, variance),
            updates,
        )
        self.register_buffer(mean, torch.zeros(2))
        self.register_buffer(variance, torch.ones(2))

    def forward(self, x):
        if self.training and self.updates:
            self.get_buffer(self.names[0]).lerp_(x.detach().mean(0), 0.1)
        return (x - x.mean(0)) / x.std(0) * self.weight


@pytest.mark.parametrize(
    ("norm", "seen"),
    [
        (Written(), -1),
        (Written("running_mean", "running_variance"), -1),
        (Written(updates=True), math.nan),
        (Written("prior_mean", "prior_var"), math.nan),
        (Written().requires_grad_(False), math.nan),
        (Written().eval(), math.nan),
    ],
)
def test_a_normalisation_of_ones_own_is_told_that_has_kept_nothing(norm, seen):
    network = nn.Sequential(nn.Linear(2, 2), norm)
    assert math.isnan(TwoModes(network).norm_momentum)  # it was not called
    network(torch.randn(8, 2)).sum().backward()
    assert TwoModes(network).norm_momentum == pytest.approx(seen, nan_ok=True)


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


def test_what_acts_by_mode_goes_along_with_its_home_and_keeps_or_drops_something():
    network = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.3), nn.BatchNorm1d(2))
    modes = TwoModes(network)
    assert modes.names == "dropout and batch normalisation"
    network.eval()
    assert modes.names == "dropout and batch normalisation"
    network.train()
    network[2].eval()
    assert modes.names == "dropout"
    assert TwoModes(nn.GRU(2, 2, num_layers=2, dropout=0.1)).names == "dropout"
    without = nn.BatchNorm1d(2, track_running_stats=False), nn.Dropout(0.0)
    assert TwoModes(nn.Sequential(nn.Linear(2, 2), *without)).names == ""
