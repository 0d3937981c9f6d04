"""A plain loop under `watch` with sinks, and a sink that keeps what it gets."""

import torch
from torch import nn

import layerscope
from layerscope.sinks import Sink
from tests.usual_step import descend

TAG = "activation/00_tanh"


class Kept(Sink):
    """Keeps the records and findings of its runs, and how often it was told that one is over."""

    def __init__(self, **settings):
        self.records, self.findings, self.runs, self.closed = [], [], [], 0
        self.__dict__.update(settings)

    def open(self, folder, resumed_at):
        self.runs.append((folder, resumed_at))

    def write(self, record):
        self.records.append(record)

    def write_finding(self, finding):
        self.findings.append(finding)

    def close(self):
        self.closed += 1

    @property
    def steps(self):
        return [record.step for record in self.records]


def train(folder, steps=12, *, broken_at=None, after_step=None, start=0, **settings):
    """Train a small net; from `broken_at` on its weights are NaN."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    settings = {
        "summary": False,
        "start": start,
        "switched_off": ["loss_diverged", "biased"],  # not_finite alone tells of the NaN
        **settings,
    }
    with layerscope.watch(net, folder, **settings) as watcher:
        for step in range(start, start + steps):
            if step == broken_at:
                net[0].weight.data.fill_(torch.nan)
            descend(watcher, optimizer, net(torch.randn(5, 3)).square().mean())
            if after_step is not None:
                after_step(step)
    assert watcher.failure is None
    return watcher
