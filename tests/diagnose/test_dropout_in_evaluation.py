"""Dropout that stays on in evaluation is told of; what is meant is a note, what is off nothing."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import layerscope
from tests.usual_step import descend


class Calls(nn.Module):
    def __init__(self, drop):
        super().__init__()
        self.layer, self.own, self.out = nn.Linear(4, 4), nn.Dropout(0.3), nn.Linear(4, 1)
        self.drop = drop

    def forward(self, x):
        return self.out(self.drop(self, self.layer(x)))


def unpacked(_, x, **told):
    return F.dropout(x, 0.3, **told)


def over_lines(_, x):
    return F.dropout(x, p=0.3)


def attended(module, x, p):
    return F.scaled_dot_product_attention(x[None], x[None], x[None], dropout_p=p)[0]


def found(drop, folder, evaluate=True, drops=None, **settings):
    """Severity and explanation of what is said of a dropout; None if nothing is."""
    network = Calls(drop)
    network.drops = drops
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    x, settings = torch.randn(16, 4), {"images": False, "summary": False} | settings
    with layerscope.watch(network, folder, **settings) as watcher:
        for _ in range(3):
            descend(watcher, optimizer, network(x).square().mean())
        network.train(not evaluate)
        with torch.no_grad():
            network(x)
    assert not network._forward_hooks
    assert not network._forward_pre_hooks
    told = [each for each in watcher.findings if each.rule == "dropout_high"]
    return (told[0].severity, told[0].explanation) if told else None


@pytest.mark.parametrize(
    ("drop", "words"),
    [
        (lambda _, x: F.dropout(x, 0.3), "does not know the mode"),
        (over_lines, "does not know the mode"),
        (unpacked, "does not know the mode"),
        (lambda _, x: torch.dropout(x, 0.3, x.dim() == 2), "is told of the mode is not"),
        (lambda m, x: unpacked(m, x, training=x.dim() == 2), "is told of the mode is not"),
        (lambda m, x: attended(m, x, 0.3), "scaled_dot_product_attention drops"),
        (lambda _, x: nn.Dropout(0.3)(x), "made anew in forward"),
    ],
)
def test_what_stays_on_is_a_warning_that_says_why(drop, words, tmp_path):
    severity, explanation = found(drop, tmp_path)
    assert severity == "warning"
    assert "drops 30% in evaluation" in explanation
    assert words in explanation


@pytest.mark.parametrize(
    "drop", [lambda _, x: F.dropout(x, 0.3, True), lambda _, x: F.dropout(x, 0.3, training=True)]
)
def test_what_is_said_to_be_on_always_is_a_note(drop, tmp_path):
    assert found(drop, tmp_path)[0] == "note"


@pytest.mark.parametrize(
    "drop",
    [
        lambda m, x: F.dropout(x, 0.3, m.training),
        lambda m, x: F.dropout(x, 0.3) if m.training else x,
        lambda m, x: attended(m, x, 0.3 * m.training),
        lambda m, x: F.dropout(m.own(x), 0.0),
    ],
)
def test_what_evaluation_turns_off_is_not_told_of(drop, tmp_path):
    assert found(drop, tmp_path) is None


def dropped(_, x):
    return F.dropout(x, 0.3)


def test_nothing_is_told_of_a_rule_that_is_off(tmp_path):
    assert found(dropped, tmp_path, switched_off=["dropout_high"]) is None


class Drops(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.3)


class DropsWithin(Drops):
    def forward(self, x):
        return dropped(self, x)


class DropsWhereTold(Drops):
    is_noisy = True

    def forward(self, x):
        if not self.is_noisy:
            return x
        return F.dropout(x, 0.3)


class DropsWhatIsGiven(Drops):
    def forward(self, x):
        return F.dropout(x, 0.3, self.is_trained())

    def is_trained(self):
        return self.training


class DropsForMonteCarlo(Drops):
    def forward(self, x):
        return F.dropout(x, p=0.3, training=True)


def drop_in_training(module, x):
    return module.drops(x) if module.training else x


@pytest.mark.parametrize(
    ("kind", "drop", "is_told"),
    [
        (Drops, lambda m, x: m.drops(x), True),
        (DropsWithin, lambda m, x: m.drops(x), False),  # who knows who else calls that function
        (DropsWhereTold, lambda m, x: m.drops(x), False),
        (DropsWhatIsGiven, lambda m, x: m.drops(x), False),
        (DropsForMonteCarlo, lambda m, x: m.drops(x), False),
        (Drops, drop_in_training, False),
    ],
)
def test_without_an_evaluation_only_code_without_a_word_of_the_mode_is_told_of(
    kind, drop, is_told, tmp_path
):
    assert (found(drop, tmp_path, evaluate=False, drops=kind()) is not None) == is_told


@pytest.mark.parametrize("kind", [nn.Dropout, DropsWhatIsGiven])
def test_a_dropout_that_is_left_on_for_monte_carlo_is_not_told_of(kind, tmp_path):
    class Left(kind):
        def train(self, mode=True):
            return super().train(True)

    def drop(module, x):
        return F.dropout(module.left(x), 0.1, module.training)

    network = Calls(drop)
    network.left = Left()
    network.eval()
    assert network.left.training
    with layerscope.watch(network, tmp_path, images=False, summary=False) as watcher:
        for trains in (True, True, False):
            network.train(trains)
            network(torch.randn(16, 4)).square().mean().backward()
            watcher.step()
    assert "dropout_high" not in [each.rule for each in watcher.findings]
