"""Graphs of earlier steps that are held are told of, and those of a moment are not."""

from collections import deque

import torch
from torch import nn

import layerscope

X, Y = torch.randn(64, 4), torch.randn(64, 1)


class Circle:
    """Ends when Python looks for circles of references, and not before."""

    def __init__(self, tensor):
        self.tensor, self.itself = tensor, self


def of_kept(keep, folder, told=lambda loss: loss):
    """Severity by rule, where `keep(loss, output)` is called in each step."""
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    with layerscope.watch(network, folder, images=False, summary=False) as watcher:
        for _ in range(12):
            optimizer.zero_grad()
            output = network(X)
            loss = (output - Y).square().mean()
            loss.backward()
            optimizer.step()
            keep(loss, output)
            watcher.step(told(loss))
    return {found.rule: found.severity for found in watcher.findings}


def test_a_list_of_losses_or_of_outputs_holds_their_graphs(tmp_path):
    losses, outputs = [], []
    keeps = (lambda loss, _: losses.append(loss), lambda _, output: outputs.append(output))
    for number, keep in enumerate(keeps):
        assert of_kept(keep, tmp_path / str(number)) == {"graph_kept": "note"}


def test_a_loss_that_is_a_sum_of_all_so_far_is_a_warning(tmp_path):
    losses = []
    found = of_kept(lambda loss, _: losses.append(loss), tmp_path, lambda _: sum(losses))
    assert found["graph_kept"] == "warning"


def test_numbers_the_last_few_losses_and_circles_of_references_are_not_told_of(tmp_path):
    numbers, few, total = [], deque(maxlen=2), torch.zeros(())
    keeps = (
        lambda loss, _: numbers.append(loss.item()),
        lambda loss, _: few.append(loss),
        lambda loss, _: total.add_(loss.detach()),
        lambda loss, _: Circle(loss),
    )
    for number, keep in enumerate(keeps):
        assert of_kept(keep, tmp_path / str(number)) == {}
