"""A finding on a learning rate names the scheduler that made it, with its numbers."""

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

import layerscope
from layerscope.session.run_output import schedulers_of


def optimizer():
    return torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)


def warm(step):
    return min(step / 10, 1)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda it: lr_scheduler.StepLR(it, 3), "StepLR(step_size=3, gamma=0.1)"),
        (lambda it: lr_scheduler.MultiStepLR(it, [5, 2]), "milestones=[2, 5]"),
        (lambda it: lr_scheduler.LambdaLR(it, warm), "LambdaLR(warm)"),
        (lambda it: lr_scheduler.LambdaLR(it, lambda step: 1.0), "LambdaLR()"),
        (lambda it: lr_scheduler.CosineAnnealingLR(it, 7), "CosineAnnealingLR(T_max=7"),
    ],
)
def test_a_scheduler_is_named_with_what_it_was_made_with(make, name):
    one, other = optimizer(), optimizer()
    scheduler = make(one)
    assert name in schedulers_of([one])
    assert schedulers_of([other]) == schedulers_of([]) == ""
    assert scheduler.optimizer is one


def rate_gone(tmp_path, schedule):
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    scheduler = schedule(optimizer)
    x = torch.randn(16, 4)
    with layerscope.watch(network, tmp_path, images=False, summary=False) as watcher:
        for _ in range(60):
            optimizer.zero_grad()
            loss = (network(x) - 1e3).square().mean()
            loss.backward()
            optimizer.step()
            scheduler.step()
            watcher.step(loss)
    (found,) = [each for each in watcher.findings if each.rule == "learning_rate_gone"]
    return found


def test_the_finding_says_whose_rate_is_gone(tmp_path):
    found = rate_gone(tmp_path, lambda it: lr_scheduler.ExponentialLR(it, 0.3))
    assert found.explanation.endswith("; the rate is set by ExponentialLR(gamma=0.3)")
    assert "gamma=1" not in found.remedy


@pytest.mark.parametrize("gamma", [0, 0.0])
def test_a_rate_that_is_multiplied_by_0_is_answered_with_the_factor(tmp_path, gamma):
    found = rate_gone(tmp_path, lambda it: lr_scheduler.StepLR(it, 3, gamma))
    assert found.explanation.endswith(f"; the rate is set by StepLR(step_size=3, gamma={gamma})")
    assert found.remedy.startswith("gamma=1 if no schedule is wanted")
