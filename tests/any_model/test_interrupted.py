"""The step in which training dies is recorded as far as it went, and judged."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import layerscope
from layerscope import LayerMonitor
from layerscope.events.reader import read_run
from tests.any_model.nets import Mlp, seeded
from tests.any_model.training import figures, fit

DIES_AT = 5


class PlantedError(Exception):
    """What a test's own training raises."""


def plain_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def loop(folder, dies, net=None, steps=20, **settings):
    """A plain loop; `dies` raises in the middle of step DIES_AT, given its name for the moment."""
    net = net or plain_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with layerscope.watch(net, folder, **settings) as watcher:
        for step in range(steps):
            moment = dies if step == DIES_AT else ""
            if moment == "before the forward":
                raise PlantedError
            optimizer.zero_grad()
            if moment == "in the forward" or moment == "with a NaN":
                net[2].register_forward_pre_hook(raise_planted)
            if moment == "with a NaN":
                net[0].weight.data.fill_(math.nan)
            loss = cross_entropy(net(torch.randn(5, 6)), torch.randint(3, (5,)))
            if moment == "in the loss":
                raise PlantedError
            if moment == "in the backward":
                net[0].weight.register_hook(raise_planted)
            loss.backward()
            if moment == "before the update":
                raise PlantedError
            optimizer.step()
            if moment == "after the update":
                raise PlantedError
            watcher.step(loss)
    return watcher


def raise_planted(*_):
    raise PlantedError


MOMENTS = {  # and the layers' figures that are known by then, of the two layers
    "in the forward": {"activation_mean": 1, "activation_grad_rms": 0, "weight_grad_rms": 0},
    "in the loss": {"activation_mean": 2, "activation_grad_rms": 0, "weight_grad_rms": 0},
    "in the backward": {"activation_mean": 2, "activation_grad_rms": 2, "weight_grad_rms": 0},
    "before the update": {"activation_mean": 2, "activation_grad_rms": 2, "weight_grad_rms": 0},
    "after the update": {"activation_mean": 2, "activation_grad_rms": 2, "weight_grad_rms": 2},
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_was_measured_of_the_step_that_a_loop_dies_in_is_there(tmp_path, moment):
    with pytest.raises(PlantedError):
        loop(tmp_path, moment)
    written = figures(tmp_path)
    assert written.steps.tolist() == list(range(DIES_AT + 1))
    assert written["incomplete"].tolist() == [0] * DIES_AT + [1]
    known = {name: int(np.isfinite(written[name][-1]).sum()) for name in MOMENTS[moment]}
    assert known == MOMENTS[moment]
    diagnosis = json.loads((tmp_path / "diagnosis.json").read_text())
    last = diagnosis["steps"][-1]
    assert (last["step"], last["incomplete"]) == (DIES_AT, True)
    assert diagnosis["state"] == "interrupted"
    keyframes = read_run(tmp_path / "keyframes").histograms["activation/00_tanh"]
    assert keyframes.steps.tolist() == [0, 1, 2, 3, 4, DIES_AT]


def test_a_step_of_which_nothing_was_measured_is_not_recorded(tmp_path):
    with pytest.raises(PlantedError):
        loop(tmp_path, "before the forward")
    assert figures(tmp_path).steps.tolist() == list(range(DIES_AT))
    assert not figures(tmp_path)["incomplete"].any()


def test_what_the_last_step_shows_is_found(tmp_path):
    with pytest.raises(PlantedError):
        loop(tmp_path, "with a NaN")
    (found,) = json.loads((tmp_path / "diagnosis.json").read_text())["findings"]
    assert (found["rule"], found["severity"], found["step"]) == ("not_finite", "critical", DIES_AT)
    assert read_run(tmp_path).scalars["finding/not_finite"].steps.tolist() == [DIES_AT]


def test_a_loop_that_ends_by_itself_leaves_no_incomplete_step(tmp_path):
    loop(tmp_path, "", steps=3)
    assert figures(tmp_path)["incomplete"].tolist() == [0, 0, 0]
    text = (tmp_path / "diagnosis.json").read_text()
    assert "incomplete" not in text
    assert json.loads(text)["state"] == "finished"


class Dies(Mlp):
    """Dies in the loss of step DIES_AT, or in its optimizer's step."""

    moment = "in the loss"

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        if batch_idx == DIES_AT and self.moment == "in the loss":
            raise PlantedError
        return loss

    def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
        if batch_idx == DIES_AT and self.moment == "in the update":
            closure = optimizer_closure

            def dying():
                closure()
                raise PlantedError

            optimizer_closure = dying
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)


@pytest.mark.parametrize(
    ("moment", "has_gradients"), [("in the loss", False), ("in the update", True)]
)
def test_the_step_that_lightning_dies_in_is_there(tmp_path, moment, has_gradients):
    net = seeded(Dies)
    net.moment = moment
    monitor = LayerMonitor()
    with pytest.raises(PlantedError):
        fit(net, tmp_path, monitor, batches=seeded(Mlp).batches(10))
    assert monitor.failure is None
    written = figures(tmp_path)
    assert written.steps.tolist() == list(range(DIES_AT + 1))
    assert written["incomplete"].tolist() == [0] * DIES_AT + [1]
    assert np.isfinite(written["activation_mean"][-1]).all()
    assert np.isfinite(written["activation_grad_rms"][-1]).any() == has_gradients
    assert monitor.diagnosis["steps"][-1]["incomplete"]
    assert monitor.diagnosis["state"] == "interrupted"
