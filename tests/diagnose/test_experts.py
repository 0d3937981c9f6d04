"""The rules of mixtures of experts, on figures that one can check by eye and on a router."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import layerscope
from layerscope.diagnose import LayerFacts
from tests.diagnose.test_rules import found, healthy, network
from tests.usual_step import descend

PLACE = "03_mixture.gate/experts"


def told(tokens=100.0, load=1.5, unused=0.0):
    figures = healthy((*network(), LayerFacts(PLACE, "3", "experts", trainable=False)), 300)
    figures["expert_tokens"][::10, -1] = tokens
    figures["expert_load"][::10, -1] = load
    figures["experts_unused"][::10, -1] = unused
    return {
        rule: finding[:3] for rule, finding in found(figures).items() if rule.startswith("experts")
    }


@pytest.mark.parametrize(
    ("unused", "severity"), [(0.2, "note"), (0.5, "warning"), (0.95, "critical")]
)
def test_experts_without_tokens_are_told_of_by_their_share(unused, severity):
    assert told(unused=unused) == {"experts_unused": (severity, PLACE, 80)}
    assert told(tokens=5, unused=unused) == {}  # chance


def test_a_busy_expert_is_a_note_and_no_other_load_is_told_of():
    assert told(load=2.5) == {"experts_uneven": ("note", PLACE, 80)}
    assert told(load=2.5, tokens=20) == {}
    assert told() == {}


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        ({}, "note"),
        ({"unused": 0.0}, "warning"),
        ({"router": "3"}, "note"),  # what is below it
        ({"router": "gate", "path": "experts.1"}, "note"),  # beside it, in the network itself
        ({"path": "4.experts.1"}, "warning"),
        ({"path": "33.experts.1"}, "warning"),
        ({"on_trunk": True}, "warning"),
        ({"place": "03_mixture/attention"}, "warning"),
    ],
)
def test_no_gradient_in_an_expert_is_its_routers_matter_while_that_leaves_some_out(facts, severity):
    told = {"unused": 0.05, "router": "3.gate", "path": "3.experts.1", "on_trunk": False} | facts
    expert = LayerFacts(
        "07_expert", told["path"], "Linear", 3, weights=("weight",), on_trunk=told["on_trunk"]
    )
    place = LayerFacts(told.get("place", PLACE), told["router"], "experts", trainable=False)
    figures = healthy((*network(), place, expert), 60)
    figures["weight_grad_rms"][20:, -1] = figures["activation_grad_rms"][20:, -1] = 0.0
    figures["experts_unused"][::10, -2] = told["unused"]
    assert found(figures)["no_gradient"][:2] == (severity, "07_expert")


class Mixture(nn.Module):
    """Switch's: one expert for each sample."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(8, 4)
        self.experts = nn.ModuleList([nn.Linear(8, 8) for _ in range(4)])
        self.head = nn.Linear(8, 4)
        with torch.no_grad():
            self.gate.weight.mul_(5)

    def forward(self, x):
        p = self.gate(x).softmax(-1)
        chosen = p.argmax(-1)
        shares = F.one_hot(chosen, 4).float()
        self.balance = 4 * (shares.mean(0) * p.mean(0)).sum()
        y = sum((shares * p)[:, [number]] * expert(x) for number, expert in enumerate(self.experts))
        return self.head(x + y)


def trained(network, rate, data, folder):
    """What is told of the experts, by rule."""
    optimizer = torch.optim.Adam(network.parameters(), rate)
    with layerscope.watch(network, folder, images=False, summary=False) as watcher:
        for _ in range(130):
            x = data()
            loss = F.cross_entropy(network(x), x[:, :4].argmax(1)) + 0.01 * network.balance
            descend(watcher, optimizer, loss)
    return {f.rule: f.severity for f in watcher.findings if f.rule.startswith("experts")}


@pytest.mark.parametrize("mended", [False, True])
def test_a_router_that_favours_one_expert_is_told_of(tmp_path, mended):
    """Its logit has a head start of 20."""
    torch.manual_seed(0)
    network = Mixture()
    if not mended:
        network.gate.bias.data[1] += 20
    rules = trained(network, 1e-3, lambda: torch.randn(64, 8), tmp_path)
    assert rules.get("experts_unused") == (None if mended else "warning")


def rows():
    return torch.randn(256, 8)


def rows_most_of_which_are_alike():
    x = torch.randn(256, 8)
    x[:160] = x[:160] / 10 + torch.tensor([1.0, -1.0] * 4)
    return x


@pytest.mark.slow
@pytest.mark.programs
@pytest.mark.parametrize(
    ("data", "head_start", "told"),
    [(rows, 0, False), (rows, 5, True), (rows_most_of_which_are_alike, 0, True)],
)
def test_a_router_whose_busiest_expert_gets_most_tokens_is_a_note(tmp_path, data, head_start, told):
    torch.manual_seed(0)
    network = Mixture()
    network.gate.bias.data[1] += head_start
    rules = trained(network, 1e-4, data, tmp_path)
    assert rules == ({"experts_uneven": "note"} if told else {})
