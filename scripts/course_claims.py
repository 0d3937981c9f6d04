"""What the course's page and its notebook say that can be measured, and how each is measured here.

The page: "Day 11: Activations & Gradients, The Fragility of Deep Nets". The notebook is its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor

from layerscope.lab.data import CharacterData, NamesData, NotebookData
from scripts.many_nets import Floats, Nets, Start, at_end, at_start, drawn, train

Seeds = tuple[int, ...]


TEXTS = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Claim:
    """A sentence of the course as a number with bounds.

    Args:
        name: in the data.
        source: of the course: which of the two, and where.
        says: the sentence, in its words or shorter.
        experiment: what to run to see it.
        measured: the number that is measured, in words.
        low, high: between which it should be, if the sentence holds.
        values: of each seed.
        why: where it does not hold: theory's reason.
    """

    name: str
    source: str
    says: str
    experiment: str
    measured: str
    low: float
    high: float
    values: Callable[[Seeds], Floats]
    why: str = ""


@cache
def data_named(name: str) -> CharacterData:
    """The names, or the notebook's 20; set up once."""
    data: CharacterData = NotebookData() if name == "notebook" else NamesData()
    data.setup()
    return data


@cache
def first_batch(name: str) -> tuple[Tensor, Tensor]:
    """256 examples, or the notebook's 130."""
    contexts, targets = next(iter(data_named(name).train_dataloader()))
    return contexts[:256], targets[:256]


@cache
def start(
    seeds: Seeds, init: str, activation: str = "tanh", depth: int = 5, gain: float = 1.0
) -> Start:
    """Step 0 on 256 examples of the names."""
    nets = Nets(drawn(seeds, data_named("names"), init, activation, depth, gain=gain))
    return at_start(nets, first_batch("names"))


@torch.no_grad()
def outputs(seeds: Seeds, init: str, activation: str) -> Floats:
    """What five hidden layers put out at step 0: float64 [S, layers, examples x width]."""
    nets = Nets(drawn(seeds, data_named("names"), init, activation))
    contexts = first_batch("names")[0]
    _, *hidden, _ = nets.outputs(contexts.expand(len(seeds), *contexts.shape))
    of: Floats = torch.stack([each.flatten(1) for each in hidden], 1).double().numpy()
    return of


def excess_kurtosis(of: Floats) -> Floats:
    """0 for a Gaussian, -1.2 for a uniform density, -2 for two towers; along the last axis."""
    centered = of - of.mean(-1, keepdims=True)
    kurtosis: Floats = (centered**4).mean(-1) / (centered**2).mean(-1) ** 2 - 3
    return kurtosis


@cache
def notebook(seeds: Seeds, init: str) -> Start:
    """The notebook's nets: 3 x 100 tanh on its 130 bigrams, the embedding scaled as well."""
    nets = Nets(drawn(seeds, data_named("notebook"), init, "tanh", 3, embedding="scheme"))
    return at_start(nets, first_batch("notebook"), 0.99)


@cache
def trained(
    seeds: Seeds, activation: str, lr: float, init: str = "kaiming", depth: int = 5,
    gain: float = 1.0,
) -> dict[str, Floats]:  # fmt: skip
    """After 500 steps, and which units are active half way: at_end's figures, as NumPy."""
    data = data_named("names")
    nets = Nets(drawn(seeds, data, init, activation, depth, gain=gain))
    train(nets, data, lr, 250, start=0)
    middle = at_end(nets, data)["active"]
    train(nets, data, lr, 250, start=1)
    return {key: value.numpy() for key, value in {**at_end(nets, data), "middle": middle}.items()}


def per_layer(of: Start) -> Floats:
    """What a layer multiplies the gradient's RMS by on its way back: geometric mean over depth."""
    factor: Floats = (of.grad[:, 0] / of.grad[:, -1]) ** (1 / (of.grad.shape[1] - 1))
    return factor


def vanishing(seeds: Seeds) -> Start:
    """experiment=vanishing: ten tanh layers with weights of std 0.07."""
    return start(seeds, "small", depth=10, gain=7.0)


def dead(of: dict[str, Floats]) -> Floats:
    """Share of all hidden units that are active on no example."""
    share: Floats = 1 - of["active"].mean((1, 2))
    return share


def revived(of: dict[str, Floats]) -> Floats:
    """Of the units that are dead after 250 steps, the share that is active after 500."""
    gone = ~of["middle"]
    share: Floats = (gone & of["active"]).sum((1, 2)) / np.maximum(gone.sum((1, 2)), 1)
    return share


def saturated_units(of: Start) -> Floats:
    """Gradient of units saturated on 95 % of examples over that of units below 50 %: medians."""
    ratios = []
    for share, grad in zip(of.unit_saturated[:, 1:], of.unit_grad[:, 1:], strict=True):
        ratios.append(np.median(grad[share > 0.95]) / np.median(grad[share < 0.5]))
    return np.array(ratios)


def uneven(of: Start) -> Floats:
    """|ln| of the first layer's gradient over the last's: 0 is ideal."""
    return np.abs(np.log(of.grad[:, 0] / of.grad[:, -1]))


def kaiming_normal(seeds: Seeds) -> Floats:
    """Std of 300 x 500 weights over sqrt(2 / fan_in)."""
    stds = []
    for seed in seeds:
        weight = torch.empty(500, 300)
        generator = torch.Generator().manual_seed(seed)
        torch.nn.init.kaiming_normal_(weight, generator=generator)
        stds.append(weight.std().item() / (2 / 300) ** 0.5)
    return np.array(stds)


def per_step(seeds: Seeds, init: str) -> Floats:
    """`per_layer` of ten tanh layers."""
    return per_layer(start(seeds, init, depth=10))


def first_over_last(of: Floats) -> Floats:
    """The first layer's over the last's."""
    ratio: Floats = of[:, 0] / of[:, -1]
    return ratio


def loss(seeds: Seeds, activation: str, lr: float, init: str = "kaiming") -> Floats:
    """After 500 steps."""
    return trained(seeds, activation, lr, init)["loss"]


def flow_gained(seeds: Seeds, depth: int) -> Floats:
    """By how much Kaiming's gradient is more even than Xavier's."""
    return uneven(start(seeds, "xavier", depth=depth)) - uneven(
        start(seeds, "kaiming", depth=depth)
    )


VALUES: dict[str, Callable[[Seeds], Floats]] = {
    "ten_layers": lambda s: per_layer(vanishing(s)) ** 10,
    "factor_random": lambda s: per_step(s, "random"),
    "factor_kaiming": lambda s: per_step(s, "kaiming"),
    "gone": lambda s: 1 - first_over_last(start(s, "xavier", depth=10).grad),
    "exhibit_a": lambda s: vanishing(s).grad[:, 3] / vanishing(s).grad[:, -1],
    "early_layers": lambda s: vanishing(s).weight_grad[:, 0] / vanishing(s).weight_grad[:, 9],
    "healthy_gaussian": lambda s: excess_kurtosis(outputs(s, "kaiming", "tanh")[:, -1]),
    "clustered": lambda s: 2.82 - trained(s, "tanh", 4e-3, "small", 10, 7.0)["loss"],
    "healthy_mean": lambda s: np.abs(start(s, "kaiming").mean).max(1),
    "healthy_std": lambda s: start(s, "kaiming").std[:, -1],
    "healthy_std_xavier": lambda s: start(s, "xavier").std[:, -1],
    "healthy_saturated": lambda s: start(s, "kaiming").saturated[:, -1],
    "healthy_saturated_first": lambda s: start(s, "kaiming").saturated[:, 0],
    "trained_saturated": lambda s: trained(s, "tanh", 4e-3)["saturated"].max(1),
    "bad_mean": lambda s: np.abs(start(s, "random").mean).max(1),
    "bad_std": lambda s: start(s, "random").std[:, -1],
    "bad_saturated": lambda s: start(s, "random").saturated.min(1),
    "relu_dies": lambda s: dead(trained(s, "relu", 4e-3)),
    "relu_dies_10": lambda s: dead(trained(s, "relu", 4e-3, depth=10)),
    "relu_dies_20": lambda s: dead(trained(s, "relu", 4e-3, depth=20)),
    "relu_dies_fast": lambda s: dead(trained(s, "relu", 0.1)),
    "stays_dead": lambda s: revived(trained(s, "relu", 0.1)),
    "leaky_gradient": lambda s: loss(s, "relu", 0.1) - loss(s, "leaky_relu", 0.1),
    "leaky_negative": lambda s: dead(trained(s, "leaky_relu", 0.1)),
    "xavier_keeps": lambda s: 1 / first_over_last(start(s, "xavier", depth=10).std),
    "xavier_sigmoid": lambda s: first_over_last(start(s, "xavier", "sigmoid", 10).grad),
    "kaiming_relu": lambda s: 1 / first_over_last(start(s, "kaiming", "relu", 10).rms),
    "instant_death": lambda s: first_over_last(start(s, "small", depth=10).grad),
    "instant_death_random": lambda s: first_over_last(start(s, "random", depth=10).grad),
    "kaiming_normal": kaiming_normal,
    "dramatic": lambda s: (start(s, "random").saturated - start(s, "kaiming").saturated).mean(1),
    "nb_saturated": lambda s: notebook(s, "random").saturated.mean(1),
    "nb_explodes": lambda s: first_over_last(start(s, "random", depth=20).grad),
    "nb_unit": lambda s: saturated_units(notebook(s, "random")),
    "nb_std_1": lambda s: notebook(s, "kaiming").std[:, 0],
    "nb_std_2": lambda s: notebook(s, "kaiming").std[:, 1],
    "nb_std_3": lambda s: notebook(s, "kaiming").std[:, 2],
    "nb_constant": lambda s: 1 / first_over_last(notebook(s, "kaiming").std),
    "nb_vanishing": lambda s: first_over_last(notebook(s, "random").weight_grad),
    "nb_healthy": lambda s: first_over_last(notebook(s, "kaiming").weight_grad[:, :3]),
    "nb_half": lambda s: (outputs(s, "kaiming", "relu") == 0).mean((1, 2)),
    "nb_larger": lambda s: (notebook(s, "kaiming").std / notebook(s, "xavier").std).mean(1),
    "nb_deeper": lambda s: flow_gained(s, 20),
    "nb_deepest": lambda s: flow_gained(s, 100),
    "nb_both_work": lambda s: loss(s, "tanh", 4e-3, "xavier") - loss(s, "tanh", 4e-3),
}
"""Of each claim: a number for each seed."""


def claims() -> tuple[Claim, ...]:
    """All of them, in the documents' order."""
    texts: dict[str, Any] = yaml.safe_load(TEXTS.read_text(encoding="utf-8"))
    return tuple(Claim(name, **text, values=VALUES[name]) for name, text in texts.items())


CLAIMS = claims()
