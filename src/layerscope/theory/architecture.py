"""What theory knows of a network before it runs: its layers, and two moments of its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from layerscope.arguments import at_least, finite_and_not_negative
from layerscope.theory.activations import Array, activation_named


@dataclass(frozen=True, slots=True)
class Layer:
    """A dense layer: z = W x + b, then phi(z).

    Args:
        fan_in: coordinates of x.
        fan_out: coordinates of z, the layer's width.
        weight_variance: of one entry of W, whose mean is 0. Theory speaks of
            sigma_w^2 = fan_in * weight_variance.
        bias_variance: of one entry of b, whose mean is 0; sigma_b^2.
        activation: a name in `activations.ACTIVATIONS`.
        orthonormal: whether the columns of W, or its rows if they are fewer, are orthonormal but
            for a factor, and not independent entries: one draw then strays less from the mean.

    Raises:
        ValueError: a size is below 1, a variance is negative or not finite, or the activation is
            unknown.
    """

    fan_in: int
    fan_out: int
    weight_variance: float
    bias_variance: float
    activation: str
    orthonormal: bool = False

    def __post_init__(self) -> None:
        at_least(1, fan_in=self.fan_in, fan_out=self.fan_out)
        finite_and_not_negative(
            weight_variance=self.weight_variance, bias_variance=self.bias_variance
        )
        activation_named(self.activation)

    @property
    def sigma_w2(self) -> float:
        """fan_in * weight_variance: what the mean square of the inputs is multiplied by."""
        return self.fan_in * self.weight_variance


def mlp(
    sizes: Sequence[int], activation: str, sigma_w2: float, bias_variance: float = 0.0
) -> tuple[Layer, ...]:
    """Return the layers of an MLP with sizes inputs, hidden, hidden, ...; all of one kind.

    Args:
        sizes: of the input and of each hidden layer, in order.
        activation: after each hidden layer.
        sigma_w2: fan_in times the variance of a weight, as the papers give it.
        bias_variance: sigma_b^2.

    Raises:
        ValueError: there is no hidden layer; otherwise as `Layer` does.
    """
    finite_and_not_negative(sigma_w2=sigma_w2)
    if len(sizes) < 2:
        raise ValueError(f"depth must be at least 1 hidden layer, got {max(len(sizes) - 1, 0)}")
    for size in sizes:
        at_least(1, sizes=size)
    return tuple(
        Layer(fan_in, fan_out, sigma_w2 / fan_in, bias_variance, activation)
        for fan_in, fan_out in pairwise(sizes)
    )


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that theory asks of the data.

    Args:
        second_moment: mean square of an input coordinate, over coordinates and examples. An
            embedding drawn from N(0, 1) gives 1, whatever the data.
        correlation: of two examples' inputs, x1 x2 / (|x1| |x2|) on average; 1 means all alike.
        batch: examples that a gradient is averaged over.
        gradient_correlation: of two examples' loss gradients at the last layer, 0 to 1. At 0, or
            with one example a batch, the weight gradients of examples have nothing in common.
        source: "assumed", or "measured" if the numbers come from data.

    Raises:
        ValueError: the second moment is negative or not finite, the correlation is outside -1 to 1,
            the gradient correlation is outside 0 to 1, or the batch is below 1.
    """

    second_moment: float = 1.0
    correlation: float = 0.0
    batch: int = 1
    gradient_correlation: float = 0.0
    source: str = "assumed"

    def __post_init__(self) -> None:
        finite_and_not_negative(second_moment=self.second_moment)
        for name, least in (("correlation", -1), ("gradient_correlation", 0)):
            value = getattr(self, name)
            if not least <= value <= 1:
                raise ValueError(f"{name} must be between {least} and 1, got {value!r}")
        at_least(1, batch=self.batch)

    @classmethod
    def measured(cls, examples: Array, gradient_correlation: float = 0.0) -> Inputs:
        """Take the moments from inputs [examples, coordinates] of a batch.

        The correlation is the mean of x1 x2 over pairs of different examples, in units of the
        mean of x x; 1 for a single example.

        Raises:
            ValueError: the inputs have another shape, are empty or not finite.
        """
        if examples.ndim != 2 or examples.size == 0:
            raise ValueError(f"inputs must be [examples, coordinates], got shape {examples.shape}")
        if not np.isfinite(examples).all():
            raise ValueError("inputs must be finite, got NaN or inf")
        count = len(examples)
        examples = examples.astype(np.float64)
        squares = float(np.mean(np.sum(examples**2, axis=1)))
        correlation = 1.0
        if count > 1 and squares > 0:
            # |sum of x|^2 holds every pair twice and every x once with itself.
            total = float(np.sum(np.sum(examples, axis=0) ** 2))
            correlation = min((total / count - squares) / (count - 1) / squares, 1.0)
        second_moment = squares / examples.shape[1]
        return cls(second_moment, correlation, count, gradient_correlation, "measured")


def require_chain(layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """Return the layers; raise ValueError unless there is one and each fits on the last."""
    chain = tuple(layers)
    if not chain:
        raise ValueError("depth must be at least 1 hidden layer, got 0")
    for number, (before, after) in enumerate(pairwise(chain), start=2):
        if after.fan_in != before.fan_out:
            raise ValueError(
                f"layer {number} must have the fan_in {before.fan_out} that the layer before "
                f"puts out, got {after.fan_in}"
            )
    return chain
