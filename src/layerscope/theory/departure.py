"""Where a measured network is not the one that theory was told about.

Far from the prediction at step 0, the code does not do what its author thinks: a layer is missing,
weights are shared or scaled twice, inputs are not what they should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite, log
from typing import Protocol

from layerscope.theory.activations import Array

TOLERANCE = 0.15
"""In ln, for what two moments do not say of the inputs and one batch does not say of the data.

The std of every layer of the notebook's nets and of the default one, under random, kaiming and
xavier, is within 0.06 of its prediction.
"""

SPREADS = 4
"""Standard deviations of the draw of the weights that are added to the tolerance: 1 in 16,000."""

VAGUE = 100.0
"""A bound in ln from which on a prediction says nothing: float32 reaches over 175."""


@dataclass(frozen=True, slots=True)
class Departure:
    """One figure of one layer that is far from theory.

    Attributes:
        layer: its position, 0 for the first hidden layer.
        quantity: "std" of the outputs, or "activation_grad", relative to the last layer's.
        predicted: what theory expects.
        measured: what was found.
        bound: the factor, above 1, by which they may differ.
    """

    layer: int
    quantity: str
    predicted: float
    measured: float
    bound: float


class Profiles(Protocol):
    """What there is to compare with, a number for each layer: a Prediction or its summary."""

    @property
    def std(self) -> Array | Sequence[float]:
        """Of the outputs."""

    @property
    def std_spread(self) -> Array | Sequence[float]:
        """Standard deviation of ln(std) from draw to draw."""

    @property
    def activation_grad(self) -> Array | Sequence[float]:
        """RMS of d loss / d outputs, relative to the last layer's."""

    @property
    def grad_spread(self) -> Array | Sequence[float]:
        """Standard deviation of ln(activation_grad) from draw to draw."""


def departures(
    prediction: Profiles,
    std: Array | Sequence[float],
    activation_grad: Array | Sequence[float],
) -> list[Departure]:
    """Compare a network at step 0 with its prediction; the first layer first.

    What is not finite on either side is left out: there is nothing to compare.

    Args:
        std: of each hidden layer's outputs, [depth].
        activation_grad: RMS of d loss / d outputs of each hidden layer, [depth], in any unit.

    Raises:
        ValueError: there is not one figure for each layer.
    """
    depth = len(prediction.std)
    if len(std) != depth or len(activation_grad) != depth:
        raise ValueError(
            f"there must be one figure for each of {depth} layers, got {len(std)} of std and "
            f"{len(activation_grad)} of activation_grad."
        )
    found = []
    for layer in range(depth):
        last = float(activation_grad[-1])
        gradient = float(activation_grad[layer]) / last if last else float("nan")
        for quantity, column, measured, spread in (
            ("std", prediction.std, float(std[layer]), prediction.std_spread),
            ("activation_grad", prediction.activation_grad, gradient, prediction.grad_spread),
        ):
            predicted, bound = float(column[layer]), TOLERANCE + SPREADS * float(spread[layer])
            if not (isfinite(predicted) and isfinite(measured) and bound < VAGUE):
                continue
            if predicted > 0 and (measured <= 0 or abs(log(measured / predicted)) > bound):
                found.append(Departure(layer, quantity, predicted, measured, exp(bound)))
    return found
