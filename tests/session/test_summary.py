"""The standard output is the user's: what it does with the summary ends no watching."""

import io

import pytest
import torch
from torch import nn

import layerscope
from tests.usual_step import descend


class Pipe(io.TextIOBase):
    """One that nobody reads."""

    encoding = "utf-8"

    def write(self, text):
        raise BrokenPipeError("nobody reads it")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def ascii_only():
    return io.TextIOWrapper(io.BytesIO(), encoding="ascii")


@pytest.mark.parametrize("make", [lambda: None, closed, Pipe, ascii_only, io.StringIO])
def test_a_run_ends_whole_whatever_the_standard_output_is(tmp_path, monkeypatch, make):
    folder = tmp_path / "läufe ✓"
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    with torch.no_grad():
        net[0].weight.mul_(1000)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with layerscope.watch(net, folder, images=False) as watcher:
        for _ in range(4):
            descend(watcher, optimizer, net(torch.ones(6, 4)).square().mean())
        monkeypatch.setattr("sys.stdout", make())
        watcher.close()
        monkeypatch.undo()
    assert watcher.failure is None
    assert watcher.diagnosis is not None
    assert (folder / "diagnosis.json").exists()
