"""Diseases planted in nets of a stack: what is changed, in which layer, from which step on.

The nets have six hidden layers of 32 units, and are healthy but for this.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from scripts.many_nets import Nets

DEPTH, WIDTH, STEPS = 6, 32, 48
LOGITS = DEPTH + 1

Change = Callable[[Nets, int, int], None]
"""Of (nets, net, layer): layer 1 is the first hidden one."""


@dataclass(frozen=True)
class Plant:
    """A patient: what was planted is the truth.

    Attributes:
        disease: the name of the rule that should find it; "healthy" of nothing.
        activation: of the net.
        layer: 1 to DEPTH, or LOGITS; 0 if healthy.
        step: from which on.
        change: of weights, before the forward pass of `step`.
        gradients: of gradients, in `step` only.
        update: of what the optimizer gets, from `step` on.
        gain: of the init, of all layers.
        rate: share of the learning rate that the net gets.
    """

    disease: str
    activation: str
    layer: int = 0
    step: int = 0
    change: Change | None = None
    gradients: Change | None = None
    update: Change | None = None
    gain: float = 1.0
    rate: float = 1.0

    def __call__(self, step: int, nets: Nets, net: int, when: str) -> None:
        """Plant it in one net of the stack."""
        if when == "update":
            for stack in nets.parameters:
                assert stack.grad is not None
                stack.grad[net] *= self.rate
        chosen = {"before": self.change, "gradients": self.gradients, "update": self.update}[when]
        is_now = step >= self.step if when == "update" else step == self.step
        if chosen is not None and is_now:
            with torch.no_grad():
                chosen(nets, net, self.layer)


def scaled(factor: float, bias: float | None = None) -> Change:
    """The layer's weights times a factor; its biases set to a value, if one is given."""

    def change(nets: Nets, net: int, layer: int) -> None:
        nets.weights[layer - 1][net] *= factor
        if bias is not None:
            nets.biases[layer - 1][net] = bias

    return change


def killed(nets: Nets, net: int, layer: int) -> None:
    """Two thirds of the layer's units get a bias of -100."""
    nets.biases[layer - 1][net, : 2 * WIDTH // 3] = -100


def infinite(nets: Nets, net: int, layer: int) -> None:
    """A bias of the layer is infinite."""
    nets.biases[layer - 1][net, 3] = math.inf


def blown_up(nets: Nets, net: int, layer: int) -> None:
    """The gradient of the layer's weights is a thousand times as large."""
    gradient = nets.weights[layer - 1].grad
    assert gradient is not None
    gradient[net] *= 1000


def left_out(nets: Nets, net: int, layer: int) -> None:
    """The optimizer gets nothing of the layer's weights."""
    gradient = nets.weights[layer - 1].grad
    assert gradient is not None
    gradient[net] = 0


def too_fast(nets: Nets, net: int, layer: int) -> None:
    """The layer's learning rate is such that each step changes its weights by 30 %."""
    weight = nets.weights[layer - 1]
    assert weight.grad is not None
    gradient, rate = weight.grad[net], 0.1
    gradient *= 0.3 * weight[net].norm() / (rate * gradient.norm()).clamp_min(1e-12)


def _of(activation: str, disease: str, *places: tuple[int, int], **how: object) -> list[Plant]:
    return [Plant(disease, activation, layer, step, **how) for layer, step in places]  # type: ignore[arg-type]


_SLOW = {"rate": 0.1}
PLANTS = [
    *_of("tanh", "saturated", (1, 0), (2, 12), (4, 0), (5, 20), change=scaled(20)),
    *_of("tanh", "idle", (1, 0), (3, 0), (4, 15), (6, 9), change=scaled(1e-3), **_SLOW),
    *_of("tanh", "biased", (2, 0), (3, 9), (5, 18), (6, 0), change=scaled(0.2, 1.2), **_SLOW),
    *_of("tanh", "gradient_spike", (1, 30), (3, 40), (6, 35), gradients=blown_up),
    *_of("tanh", "update_too_large", (2, 0), (4, 0), (6, 0), update=too_fast),
    *_of("tanh", "stalled", (2, 0), (3, 0), (5, 0), update=left_out),
    *_of("tanh", "overconfident_start", (LOGITS, 0), change=scaled(20)),
    *[Plant("healthy", "tanh", gain=gain, rate=rate)
      for gain, rate in ((1, 1), (1.1, 2), (1, 0.5))],
    *_of("relu", "dead_units", (1, 0), (3, 12), (4, 8), (6, 0), change=killed, gain=math.sqrt(2)),
    *_of("relu", "vanishing_gradient", (2, 0), (4, 12), (5, 0), (6, 20),
         change=scaled(0.02), gain=math.sqrt(2), **_SLOW),
    *_of("relu", "exploding_gradient", (2, 0), (4, 0), (5, 6),
         change=scaled(3000), gain=math.sqrt(2), rate=1e-12),
    *_of("relu", "not_finite", (2, 10), (4, 25), (6, 17), change=infinite, gain=math.sqrt(2)),
    *_of("relu", "stalled", (4, 0), update=left_out, gain=math.sqrt(2)),
    *_of("relu", "overconfident_start", (LOGITS, 0), change=scaled(8), gain=math.sqrt(2), **_SLOW),
    *[Plant("healthy", "relu", gain=gain, rate=rate)
      for gain, rate in ((math.sqrt(2), 1), (1.5, 0.5), (math.sqrt(2), 2))],
]  # fmt: skip
"""All patients of the ward."""
