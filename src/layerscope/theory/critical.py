"""The weight variance at which depth neither fades nor amplifies: chi = 1 at the fixed point.

Poole et al. (2016) and Schoenholz et al. (2017), for tanh; Hayou et al. (2019), "On the impact of
the activation function on deep neural networks training", for smooth and scale-free functions;
Roberts, Yaida and Hanin (2022), "The principles of deep learning theory", section 5.3, for gelu
and silu.
"""

from dataclasses import dataclass
from math import ceil, inf

import numpy as np

from layerscope.arguments import finite_and_not_negative
from layerscope.theory.activations import Activation, Array, activation_named
from layerscope.theory.moments import SMALLEST, moments
from layerscope.theory.root import RANGE, root

_STABLE = 1e-9  # rounding of a slope of 1
_ROUNDING = 1e-13


class NoCriticalPoint(ValueError):  # noqa: N818 - it is an answer, not a mistake
    """There is no weight variance that keeps both signal and gradient at this bias variance.

    Attributes:
        bias_variance: the nearest one that has such a weight variance.
    """

    def __init__(self, sentence: str, bias_variance: float) -> None:
        super().__init__(sentence)
        self.bias_variance = bias_variance


@dataclass(frozen=True, slots=True)
class CriticalPoint:
    """A layer that hands on signal and gradient alike.

    Attributes:
        sigma_w2: fan_in times the variance of a weight.
        variance: q* of the pre-activations; 0 if they fade as a power of depth, inf if any
            variance is handed on and biases add to it.
    """

    activation: str
    sigma_w2: float
    bias_variance: float
    variance: float


def critical(activation: str, bias_variance: float = 0.0) -> CriticalPoint:
    """Solve for the weight variance with chi = sigma_w^2 E[phi'(z)^2] = 1 at a stable q*.

    Along the critical line q* itself is the parameter (`critical_line`), and the bias variance
    grows with it, so that one root is to be found. Known: tanh 1.7610 at 0.05 and 1.0500 at
    2.01e-5, relu 2 and leaky relu 2 / (1 + a^2) at any.

    Raises:
        NoCriticalPoint: the bias variance is too small, so that q* would be unstable (gelu, silu),
            or q* would lie beyond 1e6. The sentence says which bias variance would do.
        ValueError: an unknown activation, or a bias variance that is negative or not finite.
    """
    phi = activation_named(activation)
    finite_and_not_negative(bias_variance=bias_variance)
    if phi.scale_free:
        fixed = inf if bias_variance > 0 else 1.0
        return CriticalPoint(activation, _sigma_w2(phi, 1.0), bias_variance, fixed)
    # A cancellation: what is left of q is known to a rounding of q.
    below = np.flatnonzero(critical_line(phi, RANGE)[1] < bias_variance - _ROUNDING * RANGE)
    if below.size == len(RANGE):
        raise NoCriticalPoint(
            f"{activation} has no critical weight variance for a bias variance of "
            f"{bias_variance:g}: its pre-activations would have a variance beyond {RANGE[-1]:g}",
            float(critical_line(phi, RANGE[-1])[1]),
        )
    fixed = 0.0
    if below.size:
        fixed = root(
            lambda q: float(critical_line(phi, q)[1]) - bias_variance,
            float(RANGE[below[-1]]),
            float(RANGE[below[-1] + 1]),
        )
    if _slope(phi, max(fixed, 1e-6)) > 1 + _STABLE:
        least = ceil(1e4 * _least_bias_variance(phi)) / 1e4  # rounded up, so that it works
        raise NoCriticalPoint(
            f"{activation} has no critical weight variance for a bias variance of "
            f"{bias_variance:g}, where its variance would run away from the fixed point: use a "
            f"bias variance of at least {least:.4f}",
            least,
        )
    return CriticalPoint(activation, _sigma_w2(phi, fixed), bias_variance, fixed)


def critical_line(activation: Activation, variance: Array | float) -> tuple[Array, Array]:
    """Return sigma_w^2 and sigma_b^2 at which `variance` is a fixed point with chi = 1.

    sigma_w^2 = 1 / E[phi'^2], and sigma_b^2 = q - sigma_w^2 E[phi^2], which no network has where
    it is negative.
    """
    at = moments(activation, variance)
    sigma_w2 = 1 / at.slope_second
    return sigma_w2, variance - sigma_w2 * at.second


def _sigma_w2(activation: Activation, variance: float) -> float:
    return 1 / float(moments(activation, max(variance, SMALLEST)).slope_second)


def _slope(activation: Activation, variance: float) -> float:
    """Return d q' / dq at a fixed point of the critical line; above 1 it repels."""
    at = moments(activation, variance)
    return float(at.second_growth / at.slope_second)


def _least_bias_variance(activation: Activation) -> float:
    """The bias variance from which on the fixed point of the critical line attracts."""
    slopes = moments(activation, RANGE)
    last = int(np.flatnonzero(slopes.second_growth > slopes.slope_second)[-1])
    variance = root(lambda q: _slope(activation, q) - 1, float(RANGE[last]), float(RANGE[last + 1]))
    return float(critical_line(activation, variance)[1])
