"""A search for the learning rate is let be if its weights are loaded again, and not else."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import layerscope

pytestmark = pytest.mark.slow

SEARCH, TRAINING = 100, 150
HARM = {"loss_diverged", "not_finite", "dead_units"}


def waves():
    network = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)

    def loss():
        x = torch.randn(64, 6)
        return F.mse_loss(network(x), torch.sin(x[:, :1] + x[:, 1:2]))

    return network, optimizer, loss, 2.0


def kinds():
    network = nn.Sequential(
        nn.Linear(20, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 5)
    )
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)

    def loss():
        x = torch.randn(64, 20)
        return F.cross_entropy(network(x), x[:, :5].argmax(1))

    return network, optimizer, loss, 10.0


def warned(net, directory, *, loaded):
    """Rules that warn of a run that searches for its rate up to a far too high one, and then
    trains: of the weights of before, or of those that the search has left.
    """
    torch.manual_seed(0)
    network, optimizer, loss_of, highest = net()
    rate = optimizer.param_groups[0]["lr"]
    before = copy.deepcopy((network.state_dict(), optimizer.state_dict()))
    with layerscope.watch(network, directory, images=False, summary=False) as watched:
        for step in range(SEARCH + TRAINING):
            if step == SEARCH and loaded:
                network.load_state_dict(before[0])
                optimizer.load_state_dict(before[1])
            share = step / (SEARCH - 1)
            searched = 1e-6 * (highest / 1e-6) ** share
            optimizer.param_groups[0]["lr"] = searched if step < SEARCH else rate
            optimizer.zero_grad()
            loss = loss_of()
            loss.backward()
            optimizer.step()
            watched.step(loss)
            if not torch.isfinite(loss):
                break
    assert watched.failure is None
    return {f.rule for f in watched.findings if f.severity != "note"}


@pytest.mark.parametrize("net", [waves, kinds])
def test_a_search_warns_of_nothing_if_its_weights_are_loaded_again_and_else_it_does(net, tmp_path):
    assert warned(net, tmp_path / "loaded", loaded=True) == set()
    assert warned(net, tmp_path / "kept", loaded=False) & HARM
