"""`watch` in a loop of Accelerate's and in one of Lightning Fabric's, on a small model."""

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from torch import nn
from torch.nn.functional import cross_entropy

import layerscope
from layerscope.sinks.figures_event import figures_of


def made():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    return net, torch.optim.AdamW(net.parameters(), lr=0.01)


def batches(count=6):
    draw = torch.Generator().manual_seed(1)
    for _ in range(count):
        yield torch.randn(5, 6, generator=draw), torch.randint(3, (5,), generator=draw)


def plain(folder):
    """The same training by hand: two micro-batches a step."""
    net, optimizer = made()
    with layerscope.watch(net, folder) as watcher:
        for number, (x, y) in enumerate(batches()):
            loss = cross_entropy(net(x), y)
            (loss / 2).backward()
            watcher.note_loss(loss)
            if number % 2:
                optimizer.step()
                watcher.step()
                optimizer.zero_grad()
    return watcher.diagnosis


def figures(folder):
    return figures_of(layerscope.read(folder).events)


def test_accelerate_s_micro_batches_are_told_apart_by_its_own_optimizer(tmp_path):
    accelerate = pytest.importorskip("accelerate", reason="make frameworks-test installs it")
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    net, optimizer = accelerator.prepare(*made())
    with layerscope.watch(net, tmp_path / "run") as watcher:
        for x, y in batches():
            with accelerator.accumulate(net):
                loss = cross_entropy(net(x), y)
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
            watcher.step(loss)
    assert watcher.failure is None
    assert watcher.diagnosis == plain(tmp_path / "plain")


def test_fabric_s_network_and_loss_are_those_of_a_plain_loop(tmp_path):
    fabric = Fabric(accelerator="cpu", devices=1)
    net, optimizer = fabric.setup(*made())
    with layerscope.watch(net, tmp_path / "run") as watcher:
        for number, (x, y) in enumerate(batches()):
            with fabric.no_backward_sync(net, enabled=number % 2 == 0):
                loss = cross_entropy(net(x), y)
                fabric.backward(loss / 2)
            if number % 2:
                optimizer.step()
                optimizer.zero_grad()
            watcher.step(loss)
    assert watcher.failure is None
    plain(tmp_path / "plain")
    by_fabric, by_hand = figures(tmp_path / "run"), figures(tmp_path / "plain")
    assert [each.name for each in by_fabric.layers] == [each.name for each in by_hand.layers]
    for name in ("activation_std", "weight_grad_rms", "loss", "update_to_weight"):
        np.testing.assert_array_equal(by_fabric[name], by_hand[name])
