"""A state dict that was kept without a copy is the network itself."""

import copy
import pickle

import pytest
import torch
from torch import nn

from layerscope.record.hooks.own_hook import Reduction
from layerscope.record.parameters.own_weights import OwnWeights


def loaded(keep, *, steps=1, fill=False):
    """The step in which own weights were loaded, of `keep(network)` and `steps` steps after it."""
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    step = 5
    own = OwnWeights(network, lambda: step)
    Reduction.attach(network.modules())  # as where a network is watched
    own.attach()
    kept = keep(network)
    step += steps
    if fill:
        for tensor in kept.values():
            tensor.zero_()
    network.load_state_dict(kept)
    own.detach()
    assert not {"state_dict", "load_state_dict"} & set(network.__dict__)
    return own.loaded


@pytest.mark.parametrize(
    "keep",
    [
        lambda network: network.state_dict(),
        lambda network: dict(network.state_dict()),
        lambda network: copy.copy(network.state_dict()),
        lambda network: {name: each.cpu() for name, each in network.state_dict().items()},
    ],
    ids=["itself", "dict", "shallow", "cpu"],
)
def test_weights_that_were_kept_without_a_copy_are_told_of(keep):
    assert loaded(keep) == 6


@pytest.mark.parametrize(
    "keep",
    [
        lambda network: copy.deepcopy(network.state_dict()),
        lambda network: {name: each.clone() for name, each in network.state_dict().items()},
        lambda network: copy.deepcopy(network).state_dict(),
    ],
    ids=["deepcopy", "clone", "network"],
)
def test_a_copy_is_none(keep):
    assert loaded(keep) is None


def test_a_state_that_is_filled_in_the_same_step_is_none():
    assert loaded(lambda network: network.state_dict(), steps=0, fill=True) is None


def test_a_state_of_this_step_is_none_where_an_older_one_is_kept():
    network, step = nn.Linear(2, 2), 5
    own = OwnWeights(network, lambda: step)
    own.attach()
    kept = [network.state_dict(), network.state_dict(keep_vars=True)]
    step += 1
    network.load_state_dict(network.state_dict())
    network.load_state_dict(network.state_dict(keep_vars=True))
    assert own.loaded is None
    network.load_state_dict(state_dict=kept[0])
    assert own.loaded == 6


def test_a_state_that_a_hook_of_the_network_has_copied_is_none():
    def copied(module, state, prefix, metadata):
        for name in list(state):
            state[name] = state[name].clone()

    network, step = nn.Linear(2, 2), 5
    network.register_state_dict_post_hook(copied)
    own = OwnWeights(network, lambda: step)
    own.attach()
    kept = network.state_dict()
    step += 1
    network.load_state_dict(kept)
    assert own.loaded is None


def test_a_network_with_a_state_dict_of_its_own_keeps_it():
    def mine():
        return {}

    network = nn.Linear(2, 2)
    network.state_dict = mine
    own = OwnWeights(network, lambda: 0)
    own.attach()
    own.detach()
    assert network.__dict__["state_dict"] is mine
    assert not vars(mine)


def test_states_that_nobody_keeps_are_forgotten():
    network = nn.Linear(2, 2)
    own = OwnWeights(network, lambda: 0)
    own.attach()
    for _ in range(5):
        network.state_dict()
    kept = network.state_dict()
    assert len(own._taken) == 1
    assert list(kept) == ["weight", "bias"]


def test_a_copy_of_the_network_has_a_state_of_its_own():
    network = nn.Linear(2, 2)
    own = OwnWeights(network, lambda: 0)
    Reduction.attach([network])
    own.attach()
    copied = copy.deepcopy(network)
    assert not {"state_dict", "load_state_dict"} & set(pickle.loads(pickle.dumps(network)).__dict__)
    with torch.no_grad():
        copied.weight.add_(1)
    assert not torch.equal(copied.state_dict()["weight"], network.state_dict()["weight"])
    own.detach()
