"""Where a measured network is not the one that theory was told about.

Far from the prediction at step 0, the code does not do what its author thinks: a layer is missing,
weights are shared or scaled twice, inputs are not what they should be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from layerscope.theory.activations import Array
from layerscope.theory.prediction import Prediction
from layerscope.theory.prediction_summary import PredictionSummary

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


def departures(
    prediction: Prediction | PredictionSummary,
    std: Array | Sequence[float],
    activation_grad: Array | Sequence[float],
) -> list[Departure]:
    """Compare a network at step 0 with its prediction; the first layer first.

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
            f"{len(activation_grad)} of activation_grad"
        )
    stds, gradients = np.asarray(std, float), np.asarray(activation_grad, float)
    with np.errstate(all="ignore"):  # what comes out NaN is left out
        found = [
            each
            for quantity, measured, predicted, spread in (
                ("std", stds, prediction.std, prediction.std_spread),
                (
                    "activation_grad",
                    gradients / gradients[-1],
                    prediction.activation_grad,
                    prediction.grad_spread,
                ),
            )
            for each in far_off(
                quantity, measured, np.array(predicted), TOLERANCE + SPREADS * np.array(spread)
            )
        ]
    return sorted(found, key=lambda departure: departure.layer)


def far_off(quantity: str, measured: Array, predicted: Array, bounds: Array) -> list[Departure]:
    """The layers in which measured / predicted is beyond its bound, in ln; all [layers].

    What is not finite on either side is left out: there is nothing to compare.
    """
    comparable = np.isfinite(measured) & np.isfinite(predicted) & (bounds < VAGUE) & (predicted > 0)
    off = comparable & ((measured <= 0) | (np.abs(np.log(measured / predicted)) > bounds))
    return [
        Departure(int(at), quantity, float(predicted[at]), float(measured[at]), exp(bounds[at]))
        for at in np.flatnonzero(off)
    ]
