"""A short training whose loss does not fall is asked to go on before anything is doubted."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from layerscope import watch
from layerscope.diagnose.findings.few_steps import with_few_steps
from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.thresholds import Thresholds

LATE = Thresholds().patience * 2


@pytest.mark.parametrize(
    ("rule", "remedy", "steps", "expected"),
    [
        ("loss_not_falling", "see whether the network fits one batch", LATE - 1, True),
        ("loss_not_falling", "see whether the network fits one batch", LATE, False),
        ("loss_not_falling", "optimizer.lr ten times what it is", 60, False),
        ("labels_without_signal", "print some pairs", 60, True),
        ("loss_diverged", "a tenth of what it is", 60, False),
    ],
)
def test_more_steps_are_asked_for_first_where_few_were_taken(rule, remedy, steps, expected):
    finding = Finding(*(rule, "warning", "loss", 20, 0, 50, 1.0, 1.0, 0.98, "", "why", remedy))
    told = with_few_steps(finding, steps, Thresholds())
    assert told.remedy.startswith("more epochs") == expected
    assert told.remedy.endswith(remedy)
    assert (f"ended after {steps} steps" in told.explanation) == expected


def test_what_follows_from_another_finding_asks_for_no_more_steps():
    finding = Finding(
        *(
            "labels_without_signal",
            "warning",
            "loss",
            20,
            0,
            50,
            1.0,
            1.0,
            0.98,
            "",
            "why",
            "print",
        ),
        because="vanishing_gradient",
    )
    assert with_few_steps(finding, 60, Thresholds()) == finding


@pytest.mark.parametrize(("steps", "expected"), [(120, True), (170, False)])
def test_a_training_says_at_its_end_that_it_was_short(steps, expected, tmp_path):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
    nn.init.normal_(network[2].weight, std=0.01)
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    with watch(network, tmp_path / "run") as scope:
        for _ in range(steps):
            loss = cross_entropy(network(torch.randn(64, 8)), torch.arange(64) % 4)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scope.step(loss)
    told = {each.rule: each for each in scope.findings}["loss_not_falling"]
    assert told.remedy.startswith("more epochs") == expected
