"""How far the running variance of frozen batch normalisations has moved."""

import math

import pytest
import torch
from torch import nn

from layerscope.record.network.frozen_norms import FrozenNorms


def network(variance=1.0):
    """A body that has seen data of a variance, frozen, and a head."""
    body = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(6, momentum=1.0), nn.Linear(6, 6))
    body(variance**0.5 * torch.randn(4000, 6))
    return nn.Sequential(body.requires_grad_(False), nn.Linear(6, 2))


def seen(norms, net, *batches):
    """What is seen of a step with such batches: (how far moved, how far apart)."""
    norms.begin()
    for batch in batches:
        net(batch)
    figures = norms.seen
    assert repr(norms.seen) == repr(
        figures
    )  # it is asked for at each optimizer's step, and counts once
    return figures["frozen_variance"], figures["frozen_apart"]


@pytest.mark.parametrize(("before", "now", "moved"), [(4.0, 1.0, 0.25), (1.0, 9.0, 9.0)])
def test_a_frozen_norm_in_training_mode_has_moved_as_far_as_its_variance(before, now, moved):
    torch.manual_seed(0)
    net = network(before)
    norms = FrozenNorms(net)
    assert seen(norms, net)[0] == pytest.approx(1.0)
    assert seen(norms, net, now**0.5 * torch.randn(4000, 6))[0] == pytest.approx(moved, rel=0.1)
    assert seen(FrozenNorms(net), net)[0] == pytest.approx(1.0)
    assert seen(FrozenNorms(net, norms), net)[0] == pytest.approx(moved, rel=0.1)
    net[0].eval()
    assert all(map(math.isnan, seen(norms, net)))


@pytest.mark.parametrize(("mean", "scale", "apart"), [(0, 1, 0), (2, 1, 2), (-2, 1, 2), (0, 3, 2)])
@pytest.mark.parametrize("momentum", [0.1, 0.5, 1.0])
def test_a_batch_is_apart_by_its_mean_or_its_deviation(momentum, mean, scale, apart):
    torch.manual_seed(0)
    net = network()
    net[0][1].momentum = momentum
    batch = mean + scale * torch.randn(4000, 6)
    assert seen(FrozenNorms(net), net, batch)[1] == pytest.approx(apart, abs=0.15)


def test_how_far_batches_are_apart_is_the_mean_over_looks():
    torch.manual_seed(0)
    net = network()
    net[0][1].momentum = 1e-3
    norms, far, near = FrozenNorms(net), 3 + torch.randn(4000, 6), torch.randn(4000, 6)
    values = [seen(norms, net, batch)[1] for batch in (far, near, near)]
    assert values == pytest.approx([3, 1.5, 1], abs=0.1)


def test_the_norm_that_has_moved_furthest_counts():
    net = nn.Sequential(*(nn.BatchNorm1d(6, momentum=1.0) for _ in range(3))).requires_grad_(False)
    for scale, norm in zip((1, 2, 3), net, strict=True):
        norm.running_var.fill_(scale)
        norm.running_mean.fill_(1)
    norms = FrozenNorms(net)
    norms.begin()
    for factor, norm in zip((2.0, 0.1, 1.0), net, strict=True):
        norm.running_var *= factor
    figures = norms.seen
    assert figures["frozen_variance"] == pytest.approx(0.1, rel=1e-3)
    assert figures["frozen_apart"] == pytest.approx(1 - 0.1**0.5, rel=1e-3)


def trained(net):
    net[0].requires_grad_(True)


def trained_before(net):
    net[0] = nn.Sequential(nn.Linear(6, 6), net[0][1], nn.Linear(6, 6).requires_grad_(False))


def trained_beside(net):
    net[0][2].requires_grad_(True)
    net.insert(0, nn.Linear(6, 6))


def fresh(net):
    net[0][1].reset_running_stats()


def without_statistics(net):
    net[0][1] = nn.BatchNorm1d(6, track_running_stats=False).requires_grad_(False)


@pytest.mark.parametrize(
    "change", [trained, trained_before, trained_beside, fresh, without_statistics]
)
def test_norms_that_may_well_move_are_not_asked(change):
    net = network(4.0)
    change(net)
    assert all(map(math.isnan, seen(FrozenNorms(net), net)))


def test_a_frozen_part_behind_one_that_is_trained_counts_too():
    net = nn.Sequential(nn.Linear(6, 6), network(4.0)[0])
    assert seen(FrozenNorms(net), net)[0] == pytest.approx(1.0)
