"""A network that becomes another one while it is watched: what is there is measured, the rest is
listed, and the training is the same."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import layerscope
from layerscope import LayerMonitor
from tests.any_model.nets import Mlp, seeded
from tests.any_model.training import fit
from tests.watching import counts, hooks_on

AT, STEPS = 5, 12


def new_head(net):
    net[2] = nn.Linear(8, 1)


def assign(net):
    net.load_state_dict({k: v.clone() for k, v in net.state_dict().items()}, assign=True)


def new_parameter(net):
    net[2].weight = nn.Parameter(net[2].weight.detach().clone())


class Adapter(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.A, self.B = nn.Linear(8, 2, bias=False), nn.Linear(2, 1, bias=False)

    def forward(self, x):
        return self.base(x) + self.B(self.A(x))


def adapter(net):
    net[2] = Adapter(net[2])


def longer(net):
    net.append(nn.Linear(1, 1))


def shorter(net):
    net[2] = nn.Flatten()


CHANGES = {
    "a new head": (new_head, "01_linear: made of other", []),
    "load_state_dict(assign=True)": (assign, "00_tanh, 01_linear: made of other", []),
    "another parameter": (new_parameter, "01_linear: made of other", []),
    "weight norm": (lambda net: parametrizations.weight_norm(net[2]), "made of other", []),
    "an adapter": (adapter, "2.A, 2.B: new, and not measured", ["2.A", "2.B"]),
    "one more layer": (longer, "3: new, and not measured", ["3"]),
    "one less": (shorter, "01_linear: no longer there", ["01_linear"]),
    "pruning": (lambda net: prune.l1_unstructured(net[2], "weight", 0.5), None, []),
    "another dtype": (lambda net: net.double(), None, []),
    "a frozen layer": (lambda net: net[0].requires_grad_(False), None, []),
}


def train(net, change, folder=None):
    def optimizer_of(net):
        return torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.1)

    def go(watcher=None):
        optimizer = optimizer_of(net)
        torch.manual_seed(1)
        for step in range(STEPS):
            if step == AT:
                change(net)
                optimizer = optimizer_of(net)
            optimizer.zero_grad()
            dtype = next(net.parameters()).dtype
            loss = net(torch.randn(6, 4, dtype=dtype)).square().mean()
            loss.backward()
            optimizer.step()
            if watcher:
                watcher.step(loss)

    if folder is None:
        return go()
    with layerscope.watch(
        net, folder, summary=False, images=False, updates_every_n_steps=1
    ) as watcher:
        go(watcher)
    return watcher


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_new_is_measured_or_listed_and_told_of_once(tmp_path, caplog, name):
    change, said, listed = CHANGES[name]
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    watched = copy.deepcopy(plain)
    train(plain, change)
    watcher = train(watched, change, tmp_path)
    assert watcher.failure is None
    assert [each["layer"] for each in watcher.diagnosis["not_measured"]] == listed
    told = [each for each in caplog.messages if "has changed before step" in each]
    assert len(told) == (said is not None)
    assert said is None or said in told[0]
    assert len(counts(tmp_path, "activation/00_tanh")) == STEPS
    assert hooks_on(watched) == hooks_on(plain)  # pruning has one
    for one, other in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_new_head_is_measured_from_the_step_after_the_next_on_and_the_old_no_more(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    train(net, new_head, tmp_path)
    for tag in ("activation/01_linear", "activation_grad/01_linear", "weight_grad/01_linear"):
        assert sorted(counts(tmp_path, tag)) == [step for step in range(STEPS) if step != AT]
    run = layerscope.read(tmp_path)
    at = [layer.name for layer in run.figures.layers].index("01_linear")
    last = run.figures["weight_rms"][-1, at]
    before = float(net[2].weight.detach().square().mean().sqrt())
    assert last == pytest.approx(before, rel=0.2)  # of the step's start: the update lies between


def test_updates_of_weights_that_become_double_are_those_of_doubles(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    train(net, lambda net: net.double(), tmp_path)
    ratios = layerscope.read(tmp_path).figures["update_to_weight"]
    assert np.isfinite(ratios).all()
    assert (ratios > 0).all()


def test_a_lightning_module_may_change_at_an_epoch_s_start(tmp_path, caplog):
    class Changing(Mlp):
        def on_train_epoch_start(self):
            if self.current_epoch == 1:
                self.net[4] = nn.Linear(8, 3)
                self.trainer.strategy.setup_optimizers(self.trainer)

    monitor = LayerMonitor()
    fit(seeded(Changing), tmp_path, monitor, max_epochs=3)
    assert monitor.failure is None
    assert "02_net.4: made of other" in caplog.text or "02_linear: made of other" in caplog.text
    assert len(counts(tmp_path, "weight_grad/00_tanh")) == 18


def test_a_network_that_changes_at_every_step_is_told_of_once(tmp_path, caplog):
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with layerscope.watch(net, tmp_path, summary=False, images=False) as watcher:
        for _ in range(8):
            net(torch.ones(6, 4)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            watcher.step()
            net[1] = nn.Tanh()
    assert watcher.failure is None
    assert sum("has changed before step" in each for each in caplog.messages) == 1
