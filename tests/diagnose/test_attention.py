"""The rules of attention, on figures that one can check by eye and on healthy transformers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import layerscope
from layerscope.diagnose import LayerFacts
from tests.diagnose.programs import toys
from tests.diagnose.programs.of_attention import Encoder, Reader, questions
from tests.diagnose.programs.program import batches
from tests.diagnose.test_rules import found, healthy, network

PLACE = "03_tanh/attention"
ALL = ("attention_collapse", "attention_logit_growth", "attention_uniform")


def attending(steps=300, layers=None, **of_attention):
    """Healthy figures, and those of an attention that is looked at in every tenth step."""
    layers = network() if layers is None else layers
    figures = healthy((*layers, LayerFacts(PLACE, "3", "attention", trainable=False)), steps)
    for name in ("attention_entropy", "attention_entropy_lowest", "attention_scale"):
        figures[name][::10, -1] = 1.0 if name == "attention_scale" else 0.8
    figures["attention_logit"][::10, -1] = 3.0
    figures["loss"][:] = np.linspace(3, 1.6, steps)
    for name, values in of_attention.items():
        if name == "loss":
            figures[name][:] = np.linspace(*values, steps)
        else:
            figures[name][::10, -1] = values
    return figures


def told(figures):
    return {rule: finding[:3] for rule, finding in found(figures).items() if rule in ALL}


def over_looks(*values):
    """Values of 30 looks, each as long as the others."""
    return np.repeat(values, 30 // len(values))


def test_attention_that_chooses_is_not_told_of():
    assert told(attending()) == {}


@pytest.mark.parametrize(("entropy", "severity"), [(0.08, "warning"), (0.005, "critical")])
def test_rows_that_look_at_one_token_from_the_start_on_are_told_of(entropy, severity):
    expected = {"attention_collapse": (severity, PLACE, 0)}
    assert told(attending(attention_entropy=entropy)) == expected


@pytest.mark.parametrize(
    ("weight", "scale", "severity"),
    [(0.1, 1.0, "note"), (0.3, 1.0, "warning"), (0.1, 4, "warning")],
)
def test_rows_that_large_inputs_alone_make_sharp_are_a_note(weight, scale, severity):
    figures = attending(attention_entropy=0.03, attention_scale=scale)
    queries = LayerFacts("03_tanh.in_proj_weight", "3", "MultiheadAttention", width=(64, 192))
    figures = replace(figures, layers=(*figures.layers[:2], queries, *figures.layers[3:]))
    figures["weight_rms"][:, 2] = weight
    assert told(figures) == {"attention_collapse": (severity, PLACE, 0)}


def test_a_collapse_in_the_middle_is_a_warning_unless_the_loss_has_halved():
    falls = over_looks(0.8, 0.03, 0.03)
    expected = {"attention_collapse": ("warning", PLACE, 100)}
    assert told(attending(attention_entropy=falls)) == expected
    late = over_looks(0.8, 0.8, 0.03)
    expected = {"attention_collapse": ("note", PLACE, 200)}
    assert told(attending(attention_entropy=late, loss=(3, 0.5))) == expected
    assert told(attending(attention_entropy=over_looks(0.8, 0.08)))["attention_collapse"][0] == (
        "note"
    )


@pytest.mark.parametrize(
    ("logit", "severity"), [(200, "note"), (2000, "warning"), (20_000, "critical")]
)
def test_logits_that_have_grown_are_told_of_by_their_size(logit, severity):
    expected = {"attention_logit_growth": (severity, PLACE, 150)}
    assert told(attending(attention_logit=over_looks(3, logit))) == expected


def test_logits_that_were_large_at_the_first_look_have_not_grown():
    assert told(attending(attention_logit=over_looks(900, 2000))) == {}


def test_one_odd_look_is_no_finding():
    for name, odd in (("attention_logit", 2000.0), ("attention_entropy", 0.01)):
        values = np.full(30, 3.0 if name == "attention_logit" else 0.8)
        values[12] = odd
        assert told(attending(**{name: values})) == {}


def test_uniform_rows_are_a_note_and_a_warning_where_the_scale_makes_them_so():
    uniform = {"attention_entropy": 0.9999, "attention_entropy_lowest": 0.9995}
    assert told(attending(**uniform)) == {"attention_uniform": ("note", PLACE, 80)}
    warning = {"attention_uniform": ("warning", PLACE, 80)}
    assert told(attending(**uniform, attention_scale=0.01)) == warning
    assert told(attending(**uniform, steps=80)) == {}  # before patience is over
    learned = attending(**uniform, attention_scale=0.01)
    learned["loss"][20:] = 1.0
    assert told(learned) == {"attention_uniform": ("note", PLACE, 80)}
    learned = attending(**uniform)
    learned["loss"][20:] = 1.0
    assert told(learned) == {}  # it does well without


def without_places(steps, *loss, read=0.0):
    """What is told of an attention that knows of no places, while the loss goes down."""
    figures = attending(steps, attention_placeless=1.0, loss=loss)
    figures["order_read"][::10] = read
    finding = found(figures).get("no_positions")
    return finding and finding[:3]


def test_attention_that_knows_of_no_places_is_told_of_while_nothing_is_learned():
    assert without_places(400, 3, 2.9) == ("warning", "network", 319)
    assert without_places(300, 3, 2.9) == ("note", "network", 79)
    assert without_places(85, 3, 2.9) == ("note", "network", 79)
    assert without_places(120, 3, 0) is None  # half of it is learned before
    assert without_places(400, -3, -2.9) is None  # nothing says what guessing costs
    assert without_places(400, 3, 2.0) == ("note", "network", 79)
    assert without_places(400, 3, 1.0) == ("note", "network", 79)
    assert without_places(400, 3, 2.9, read=1.0) is None
    healthy_ones = attending(400, attention_placeless=0.0, loss=(3, 2.9))
    assert "no_positions" not in found(healthy_ones)


def test_places_may_be_in_what_frozen_layers_give():
    frozen = LayerFacts("09_e", "e", "Embedding(200, 48)", weights=("weight",), trainable=False)
    for layers, is_told in ((network(), True), ((*network(), frozen), False)):
        figures = attending(400, layers, attention_placeless=1.0, loss=(3, 2.9))
        assert ("no_positions" in found(figures)) == is_told


def pre_norm():
    tokens, answers = questions()
    network = Reader(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True))
    return network, batches(tokens, answers, steps=STEPS), 2e-3


def post_norm():
    tokens, answers = questions()
    return Encoder(norm_first=False), batches(tokens, answers, steps=STEPS), 1e-3


class ViT(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, stride=2)
        self.first = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, 17, width))
        self.blocks = nn.Sequential(*[Block(width) for _ in range(2)], nn.LayerNorm(width))
        self.out = nn.Linear(width, 4)

    def forward(self, x):
        x = self.patches(x).flatten(2).mT
        x = torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.places
        return self.out(self.blocks(x)[:, 0])


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attend(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


def vision():
    return ViT(), batches(*toys.pictures(), steps=STEPS), 1e-3


STEPS = 1000


@pytest.mark.slow
@pytest.mark.programs
@pytest.mark.parametrize("net", [pre_norm, post_norm, vision], ids=lambda net: net.__name__)
def test_a_healthy_transformer_is_quiet_through_a_warm_up_and_a_thousand_steps(net, tmp_path):
    torch.manual_seed(0)
    model, data, rate = net()
    optimizer = torch.optim.AdamW(model.parameters(), rate)
    warm_up = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1.0, (k + 1) / 200))
    with layerscope.watch(model, tmp_path, images=False, summary=False) as watched:
        for x, y in data:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            warm_up.step()
            watched.step(loss)
    assert watched.failure is None
    assert [f for f in watched.findings if f.rule in ALL] == []
    assert [f.rule for f in watched.findings if f.severity != "note"] == []
    places = layerscope.read(tmp_path).attention
    assert len(places) == 2
    assert all(np.isfinite(of_place["entropy"]).all() for of_place in places.values())
