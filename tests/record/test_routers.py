"""Tokens of each expert, against a count of what a router chose."""

import numpy as np
import pytest
import torch
from torch import nn

import layerscope
from tests.usual_step import descend


class Mixture(nn.Module):
    """Top-2 of some experts, as a list of modules."""

    def __init__(self, width=8, experts=4, chooses="topk"):
        super().__init__()
        self.score = nn.Linear(width, experts)
        self.experts = nn.ModuleList([nn.Linear(width, width) for _ in range(experts)])
        self.chooses, self.chosen = chooses, []

    def choose(self, scores):
        if self.chooses == "topk":
            return scores.topk(2).indices
        return scores.argmax(-1, keepdim=True)

    def forward(self, x):
        scores = self.score(x).softmax(-1)
        chosen = self.choose(scores)
        self.chosen.append(chosen)
        mixed = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            share = scores[:, number] * (chosen == number).any(1)
            mixed = mixed + share[:, None] * expert(x)
        return mixed


class InOneTensor(nn.Module):
    """The weights of all experts in one parameter, beside a router that is a module of its own."""

    def __init__(self, width=8, experts=4):
        super().__init__()
        self.router = Router(width, experts)
        self.bank = nn.Parameter(torch.randn(experts, width, width) / width)

    def forward(self, x):
        values, chosen = self.router(x)
        return (torch.einsum("bi,bkij->bkj", x, self.bank[chosen]) * values[..., None]).sum(1)


class Router(nn.Module):
    def __init__(self, width, experts):
        super().__init__()
        self.linear, self.chosen = nn.Linear(width, experts), []

    def forward(self, x):
        found = torch.topk(self.linear(x), 2, dim=-1)
        self.chosen.append(found.indices)
        return found


class Classifier(nn.Module):
    """As many classes as blocks, and the likeliest class for its own log: no router."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(8, 8) for _ in range(4)])
        self.head = Head()

    def forward(self, x):
        for block in self.blocks:
            x = x + block(x).relu()
        return self.head(x)


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 4)

    def forward(self, x):
        logits = self.linear(x)
        self.likeliest = logits.topk(2).indices
        return logits


def trained(network, folder, steps=3, passes=1):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    with layerscope.watch(network, folder, images=False, summary=False) as watcher:
        for _ in range(steps):
            loss = sum(network(torch.randn(32, 8)).square().mean() for _ in range(passes))
            descend(watcher, optimizer, loss)
    assert watcher.failure is None
    return layerscope.read(folder)


@pytest.mark.parametrize("make", [Mixture, lambda: Mixture(chooses="argmax"), InOneTensor])
def test_tokens_of_each_expert_are_those_that_the_router_chose(tmp_path, make):
    torch.manual_seed(0)
    network = make()
    run = trained(network, tmp_path, passes=2)
    ((name, found),) = run.experts.items()
    router = getattr(network, "router", network)
    chosen = torch.stack(router.chosen).reshape(3, -1)  # the micro-batches of a step add up
    counted = [torch.bincount(of_step, minlength=4).tolist() for of_step in chosen]
    assert found["tokens"].tolist() == counted
    place = [facts.name for facts in run.figures.layers].index(name)
    np.testing.assert_allclose(
        run.figures["expert_load"][:, place], [max(c) / np.mean(c) for c in counted], rtol=1e-6
    )
    unused = [c.count(0) / 4 for c in counted]
    assert run.figures["experts_unused"][:, place].tolist() == unused


def test_the_likeliest_classes_of_a_classifier_are_no_experts(tmp_path):
    assert trained(Classifier(), tmp_path).experts == {}
