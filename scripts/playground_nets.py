"""The nets of docs/lesson/playground.html: which there are, and what is kept of each.

A net is a point of `AXES`. Those of an activation, depth and width are trained in stacks of 24, and
on the same batches; seed 0 draws all of them, so that from one to the next only what the sliders
say is different.
"""

import logging
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from layerscope.diagnose import Finding
from layerscope.lab.data import NamesData
from layerscope.lab.init import InitScheme, variance_scaling
from layerscope.lab.mlp import MLP
from layerscope.lab.predict_network import predict_network
from scripts.watched_nets import Batch, Watched, watch_alone, watch_together

AXES: dict[str, tuple[float | str, ...]] = {
    "activation": ("tanh", "relu", "leaky_relu", "sigmoid"),
    "depth": (2, 5, 10, 20),
    "width": (10, 30, 100),
    "lr": (0.01, 0.1, 1.0),
    "gain": (0.25, 0.5, 0.8, 1.0, 1.414, 2.0, 4.0, 10.0),
    "bias": (0.0, 0.3, 1.0),
}
"""gain: weights are N(0, gain^2 / fan_in), so 1 is Xavier's and 1.414 Kaiming's. bias: their
standard deviation. lr: of plain SGD, which hides nothing, and does not change."""

STEPS, KEPT = 100, (0, 10, 99)
DEEPEST = 20
ALONE = {"lr": 0.1, "gain": 1.0, "bias": 0.0}
"""The net of each shape that is trained by itself too, and that `Shape.agrees` compares."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """What is kept of the nets of one activation, depth and width.

    Attributes:
        counts: uint8 [lr, gain, bias, kept steps, 20, 30]: 255 sqrt(share of the fullest bucket) of
            the outputs of each hidden layer.
        edges: float32 [..., 20, 2]: left end of the first bucket, right end of the last one.
        std, grad: float32 [..., 20]: of the outputs, and RMS of d loss / d outputs.
        loss: float32 [lr, gain, bias, steps]; infinite where it is not a number.
        theory_std, theory_grad: float32 [gain, bias, 20], of step 0; the last gradient is 1.
        findings: of each net, lr by lr, and there gain by gain.
        agrees: whether the net trained alone came to the same findings.
    """

    counts: npt.NDArray[np.uint8]
    edges: Floats
    std: Floats
    grad: Floats
    loss: Floats
    theory_std: Floats
    theory_grad: Floats
    findings: list[list[Finding]]
    agrees: bool


@cache
def batches() -> list[Batch]:
    """128 examples of the names for each step."""
    data = NamesData(batch_size=128, shuffle_seed=0)
    data.setup()
    return [batch for batch, _ in zip(data.train_dataloader(), range(STEPS), strict=False)]


def scheme(gain: float, bias: float) -> InitScheme:
    """How the weights and biases of a grid point are drawn."""
    return InitScheme(variance_scaling(1.0, "fan_in", "normal"), gain=gain, bias_std=bias)


def network(activation: str, depth: int, width: int, gain: float, bias: float) -> MLP:
    """A grid point's net before its first step."""
    net = MLP(27, 3, 27, depth=depth, width=width, activation=activation)
    scheme(gain, bias)(net, torch.Generator().manual_seed(0))
    return net


def sgd(lr: float) -> partial[torch.optim.Optimizer]:
    """Plain stochastic gradient descent at a constant rate."""
    return partial(torch.optim.SGD, lr=lr)


def train_shape(activation: str, depth: int, width: int) -> Shape:
    """Train all nets of a shape; 20 to 80 s on one core."""
    torch.set_num_threads(1)
    logging.getLogger("layerscope").setLevel(logging.ERROR)
    draws = list(product(AXES["gain"], AXES["bias"]))
    make = partial(network, activation, depth, width)
    alone = watch_alone(make(ALONE["gain"], ALONE["bias"]), batches(), sgd(ALONE["lr"]))
    nets: list[Watched] = []
    for lr in AXES["lr"]:
        stack = [make(*draw) for draw in draws]
        nets += watch_together(stack, batches(), sgd(lr), alone.figures, KEPT.__contains__)
    at = AXES["lr"].index(ALONE["lr"]) * len(draws) + draws.index((ALONE["gain"], ALONE["bias"]))
    contexts, targets = batches()[0]
    predicted = [
        predict_network(make(*draw), scheme(*draw), contexts, targets=targets) for draw in draws
    ]
    hidden = slice(1, depth + 1)
    buckets = np.stack([net.buckets[:, hidden] for net in nets])
    most = np.maximum(buckets[..., 2].max(-1, keepdims=True), 1)
    figures = {
        name: np.stack([net.figures[name][list(KEPT)][:, hidden] for net in nets])
        for name in ("activation_std", "activation_grad_rms")
    }
    return Shape(
        _shaped(np.round(255 * np.sqrt(buckets[..., 2] / most)).astype(np.uint8)),
        _shaped(np.stack([buckets[..., 0, 0], buckets[..., -1, 1]], -1)),
        _shaped(figures["activation_std"]),
        _shaped(figures["activation_grad_rms"]),
        _shaped(np.stack([net.figures["loss"] for net in nets]), layers=False),
        _deep(np.array([each.std for each in predicted])),
        _deep(np.array([each.activation_grad for each in predicted])),
        [list(net.findings) for net in nets],
        [_said(f) for f in nets[at].findings] == [_said(f) for f in alone.findings],
    )


def _said(finding: Finding) -> tuple[str, str, str, int]:
    return finding.rule, finding.severity, finding.layer, finding.step


def _deep(of_layers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[nets, layers] as [gain, bias, 20]; 0 where there is no layer."""
    padded = np.zeros((len(of_layers), DEEPEST), np.float32)
    padded[:, : of_layers.shape[1]] = of_layers
    return padded.reshape(len(AXES["gain"]), len(AXES["bias"]), DEEPEST)


def _shaped(of_nets: npt.NDArray[Any], layers: bool = True) -> npt.NDArray[Any]:
    """[nets, kept steps, layers, ...] as [lr, gain, bias, kept steps, 20, ...]."""
    if layers:
        room = np.zeros((*of_nets.shape[:2], DEEPEST, *of_nets.shape[3:]), of_nets.dtype)
        room[:, :, : of_nets.shape[2]] = of_nets
        of_nets = room
    sizes = [len(AXES[name]) for name in ("lr", "gain", "bias")]
    return of_nets.reshape(*sizes, *of_nets.shape[1:])
