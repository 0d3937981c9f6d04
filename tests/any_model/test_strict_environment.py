"""The user debugs: numpy raises on what it passes over by default, and warnings are errors."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import layerscope
from tests.watching import counts


@pytest.fixture(params=["raise", "warn", "call"])
def numpy_told(request):
    """What numpy does with divisions by zero, overflow and underflow."""

    def shout(kind, flag):
        raise FloatingPointError(kind)

    with np.errstate(all=request.param, call=shout):
        yield


def train(folder):
    """Units that are dead, weights and gradients that underflow float32, for 60 steps."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1), nn.Identity()
    )
    with torch.no_grad():
        net[0].bias[:4] = -100
        net[2].weight.mul_(1e-30)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with layerscope.watch(net, folder, biases=True, summary=False) as watcher:
        for step in range(60):
            optimizer.zero_grad()
            scale = {40: 1e300, 41: float("nan")}.get(step, 1e-12)
            loss = net(torch.randn(5, 4)).double().square().mean() * scale
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter.nan_to_num_(0.0, 0.0, 0.0).clamp_(-1, 1)
            watcher.step(loss)
    return watcher


def test_the_instrument_is_not_stopped_by_what_numpy_was_told(tmp_path, numpy_told):
    watcher = train(tmp_path)
    assert watcher.failure is None
    assert watcher.diagnosis is not None
    run = layerscope.read(tmp_path)
    assert len(run.figures.steps) == 60
    assert run.findings
    assert len(counts(tmp_path, "activation/00_relu")) == 60


def test_nothing_warns_where_warnings_are_errors(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watcher = train(tmp_path)
        layerscope.read(tmp_path).findings  # noqa: B018
    assert watcher.failure is None
