"""A network that is compared with itself, both with a gradient, gets none and is told of."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.questions.missing_gradients import cancelled_gradients
from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import Program
from tests.diagnose.test_rules import healthy, layer, rules_and_words
from tests.usual_step import descend


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor, self.critic = (
            nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, out)) for out in (3, 1)
        )

    def forward(self, x):
        return self.actor(x), self.critic(x)


def found_beside_a_critic(old_of, change=lambda actor: actor):
    """Likewise, where a second part of the network learns."""

    def run(_, watch):
        x, gains = torch.randn(32, 4), torch.randn(32, 1)
        network = ActorCritic()
        change(network.actor)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        with watch(network) as scope:
            for _ in range(30):
                (now, value), (old, _) = (network(x) for _ in range(2))
                now, old = (F.log_softmax(each, 1)[:, :1] for each in (now, old))
                ratio = (now - old_of(old)).exp()
                descend(scope, optimizer, (value - gains).square().mean() - (ratio * gains).mean())

    findings = judged(Program("", run), mended=False)
    return " ".join(f"{each.rule} {each.explanation}" for each in findings)


def found(old_of):
    """Rules and explanations of a loss of the ratio of new and old probabilities."""

    def run(_, watch):
        x, gains = torch.randn(32, 4), torch.randn(32, 1)
        network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        with watch(network) as scope:
            for _ in range(30):
                now, old = (F.log_softmax(network(x), 1)[:, :1] for _ in range(2))
                descend(scope, optimizer, -((now - old_of(old)).exp() * gains).mean())

    findings = judged(Program("", run), mended=False)
    return " ".join(f"{each.rule} {each.explanation}" for each in findings)


def test_a_policy_compared_with_itself_is_told_of():
    assert "no_gradient the gradients that come to the outputs" in found(lambda old: old)
    assert found(torch.Tensor.detach) == ""


def test_gradients_that_a_loop_of_ones_own_has_used_up_are_not_said_to_cancel():
    def run(_, watch):
        x = torch.randn(256, 4)
        y = x[:, :1] * x[:, 1:2]
        network = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
        with watch(network) as scope:
            for _ in range(60):
                loss = F.mse_loss(network(x), y)
                loss.backward()
                with torch.no_grad():
                    for parameter in network.parameters():
                        parameter -= 0.1 * parameter.grad
                        parameter.grad.zero_()
                scope.step(loss)

    assert judged(Program("", run), mended=False) == []


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.head = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        nn.init.constant_(self.head[0].bias, -50.0)

    def forward(self, tokens):
        return self.head(self.embedding(tokens).mean(1))


def test_dead_units_cancel_no_gradients():
    def run(_, watch):
        tokens, y = torch.randint(20, (32, 6)), torch.randint(2, (32,))
        network = Bag()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        with watch(network) as scope:
            for _ in range(30):
                descend(scope, optimizer, F.cross_entropy(network(tokens), y))

    findings = judged(Program("", run), mended=False)
    assert findings[0].rule == "dead_units"
    assert not any("from itself" in each.explanation for each in findings)


def test_so_is_a_part_of_a_network_beside_one_that_learns():
    assert "layers of this part of the network, add up" in found_beside_a_critic(lambda old: old)
    assert found_beside_a_critic(torch.Tensor.detach) == ""


def dead(actor):
    actor[1] = nn.ReLU()
    nn.init.constant_(actor[0].bias, -100.0)


def test_a_part_whose_units_are_all_dead_is_not_compared_with_itself():
    told = found_beside_a_critic(torch.Tensor.detach, dead)
    assert "dead_units" in told
    assert "from itself" not in told


@pytest.mark.parametrize(("function", "told"), [(nn.ReLU, True), (nn.Tanh, False)])
def test_second_derivatives_of_a_network_of_relus_are_0_and_nothing_is_taken_from_itself(
    function, told
):
    def run(_, watch):
        network = nn.Sequential(nn.Linear(1, 16), function(), nn.Linear(16, 1))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        with watch(network) as scope:
            for _ in range(30):
                x = torch.rand(32, 1).requires_grad_()
                first = torch.autograd.grad(network(x).sum(), x, create_graph=True)[0]
                second = torch.autograd.grad(first.sum(), x, create_graph=True)[0]
                loss = (second + 1).square().mean()
                descend(scope, optimizer, loss)

    explanations = [each.explanation for each in judged(Program("", run), mended=False)]
    assert any("second derivative of 0" in each for each in explanations) == told
    assert not any("from itself" in each for each in explanations)


PATHS = ("actor.0", "actor.2", "critic.0", "critic.2", "head")


def of_layers(values=(0.0,) * 5, facts=None, none=None, **of_figures):
    """Of two parts of two layers and a single one: whether all cancels, and the layers where it
    does; figures are given by their layers.
    """
    layers = [replace(layer(i, "tanh", 5), path=path) for i, path in enumerate(PATHS)]
    for index, told in (facts or {}).items():
        layers[index] = replace(layers[index], **told)
    figures = healthy(layers, 1)
    for name, given in of_figures.items():
        for index, value in given.items():
            figures[name][:, index] = value
    gets_none = np.zeros((1, 5), bool)
    gets_none[:, none or []] = True
    everywhere, parts = cancelled_gradients(
        figures, np.array([values], np.float64), gets_none, Roles(layers)
    )
    return bool(everywhere[0, 0]), np.flatnonzero(parts[0]).tolist()


DEAD = {"activation_max": {0: 0.0}, "activation_min": {0: 0.0}}
NO_PARTS = {"facts": {index: {"path": str(index)} for index in range(5)}}


@pytest.mark.parametrize(
    ("figures", "everywhere", "parts"),
    [
        ({}, True, [0, 1, 2, 3]),
        (NO_PARTS, True, []),
        ({"values": (0, 0, 0, 0, 1)}, False, [0, 1, 2, 3]),
        ({"values": (0, 0, 1, 0, 0)}, False, [0, 1]),
        ({"values": (0, 0, np.nan, 0, 0)}, True, [0, 1]),
        ({"values": (np.nan,) * 5}, False, []),
        ({"none": [1]}, False, [2, 3]),
        ({"activation_grad_rms": {1: 0.0}}, False, [2, 3]),
        ({"activation_grad_rms": {4: 0.0}, "values": (0, 0, 0, 0, np.nan)}, True, [0, 1, 2, 3]),
        (DEAD, False, [2, 3]),
        ({"activation_max": {0: 0.0}}, True, [0, 1, 2, 3]),
        ({"activation_min": {0: 0.0}}, True, [0, 1, 2, 3]),
        ({name: {1: 0.0, 4: 0.0} for name in DEAD}, False, [0, 1, 2, 3]),  # the last of a part
        ({name: {4: 0.0} for name in DEAD}, True, [0, 1, 2, 3]),  # of all
        ({"facts": {0: {"trainable": False}}}, True, [2, 3]),  # one layer is no part
        ({"facts": {0: {"weights": ()}}}, True, [2, 3]),
        ({"facts": {0: {"order": -1}}}, True, [2, 3]),
        ({"facts": {0: {"order": 1}, 1: {"order": 0}}, **DEAD}, False, [0, 1, 2, 3]),
        ({"facts": {4: {"path": "net.actor.4"}}}, True, [0, 1, 2, 3]),
    ],
)
def test_what_cancels_does_so_in_all_layers_or_in_all_of_a_part(figures, everywhere, parts):
    assert of_layers(**figures) == (everywhere, parts)


def test_a_part_may_be_a_part_of_one():
    facts = {index: {"path": f"net.{path}"} for index, path in enumerate(PATHS)}
    assert of_layers((0, 0, 0, 0, 0), facts) == (True, [0, 1, 2, 3, 4])
    assert of_layers((0, 0, 1, 0, 0), facts) == (False, [0, 1])


@pytest.mark.parametrize("asks", [0, 1])
def test_an_optimizer_that_asks_several_times_a_step_is_not_said_to_cancel(asks):
    layers = tuple(layer(i) for i in range(3))
    figures = healthy(layers, 60)
    figures["weight_grad_rms"][:], figures["gradients_changed"][::10] = 0, 0
    figures["wants_all_data"][::10] = asks
    told = rules_and_words(figures)["no_gradient"].explanation
    assert ("from itself" in told) == (not asks)
