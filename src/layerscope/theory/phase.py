"""Where depth leads: the fixed points of the variance and the correlation, and how fast.

Poole et al. (2016), for the fixed points; Schoenholz et al. (2017), for the depth scales.
"""

from dataclasses import dataclass
from math import inf, log

import numpy as np

from layerscope.theory.activations import Activation
from layerscope.theory.moments import moments
from layerscope.theory.pairs import pair_moments
from layerscope.theory.root import RANGE, root
from layerscope.theory.special import brentq

CRITICAL_SCALE = 1000
"""From this depth scale on, in layers, a network counts as critical: a factor of 1.001 a layer."""

TRAINABLE_SCALES = 6
"""Depth scales that a trainable network can span (Schoenholz et al. 2017, the experiments)."""

_SMALLEST, _LARGEST = RANGE[[0, -1]].tolist()  # a fixed point beyond these is none: 0, and inf
_CLOSEST = 1e-6  # a fixed correlation is told from 1 if it is this far from it
_ROUNDING = 1e-11  # of the integrals


@dataclass(frozen=True, slots=True)
class Phase:
    """The infinitely deep network of one kind of layer.

    Attributes:
        variance: q* that the pre-activations' variance tends to, from where it starts; 0 if they
            vanish, inf if they grow without end.
        correlation: c* that the correlation of two examples tends to.
        chi: factor of the gradient's mean square per layer at q*, sigma_w^2 E[phi'(z)^2]. Also
            the slope of the correlation map at 1: below 1 two examples become alike.
        chi_variance: slope of the variance map at q*.
        chi_correlation: slope of the correlation map at c*; equal to chi if c* = 1.
    """

    variance: float
    correlation: float
    chi: float
    chi_variance: float
    chi_correlation: float

    @property
    def verdict(self) -> str:
        """Ordered (gradients vanish, examples become alike), critical, or chaotic."""
        if self.gradient_scale >= CRITICAL_SCALE:
            return "critical"
        return "ordered" if self.chi < 1 else "chaotic"

    @property
    def gradient_scale(self) -> float:
        """Layers over which the gradient's mean square changes by a factor of e."""
        return _scale(self.chi)

    @property
    def variance_scale(self) -> float:
        """xi_q: layers over which the variance's distance from q* falls by a factor of e."""
        return _scale(self.chi_variance)

    @property
    def correlation_scale(self) -> float:
        """xi_c: layers over which the correlation's distance from c* falls by a factor of e."""
        return _scale(self.chi_correlation)

    @property
    def survives(self) -> float:
        """Layers that the difference between two examples survives: 6 xi_c."""
        return TRAINABLE_SCALES * self.correlation_scale


def depth_in_words(survives: float, depth: int) -> str:
    """How many layers a difference survives, in no more digits than such a network needs."""
    layers = max(round(survives), 1)
    return (
        "any depth"
        if survives >= 100 * depth
        else f"about {layers} layer{'' if layers == 1 else 's'}"
    )


def phase_of(
    activation: Activation, sigma_w2: float, bias_variance: float, start: float = 1.0
) -> Phase:
    """Follow the variance from `start` to its fixed point, and the correlation from there.

    Args:
        activation: phi.
        sigma_w2: fan_in times the variance of a weight.
        start: variance from which the fixed point is sought; there may be several.
    """
    fixed = fixed_variance(activation, sigma_w2, bias_variance, start)
    within = min(max(fixed, _SMALLEST), _LARGEST)
    at = moments(activation, within)
    chi = sigma_w2 * float(at.slope_second)
    chi_variance = sigma_w2 * float(at.second_growth)
    correlation, chi_correlation = 1.0, chi
    if 0 < fixed < inf:
        correlation = _fixed_correlation(activation, sigma_w2, bias_variance, fixed, chi)
        if correlation < 1:
            chi_correlation = sigma_w2 * pair_moments(activation, fixed, correlation)[1]
    return Phase(fixed, correlation, chi, chi_variance, chi_correlation)


def fixed_variance(
    activation: Activation, sigma_w2: float, bias_variance: float, start: float
) -> float:
    """Return the q* = sigma_w^2 E[phi^2] + sigma_b^2 that iteration from `start` tends to.

    The map grows with q, so iteration runs monotonically to the next fixed point on the side to
    which it first steps, or to 0 or inf if there is none within 1e-12 to 1e6. The distance to it
    is found on `RANGE`, then by Brent's method.
    """

    def gain(q: float) -> float:
        """How much one layer adds to ln(q)."""
        after = sigma_w2 * float(moments(activation, q).second) + bias_variance
        return log(after / q) if after > 0 else -inf

    start = min(max(start, _SMALLEST), _LARGEST)
    upward = gain(start) > 0
    if abs(gain(start)) < _ROUNDING:
        return start
    grid = RANGE[start < RANGE] if upward else RANGE[start > RANGE][::-1]
    if not grid.size:
        return inf if upward else 0.0
    after = sigma_w2 * moments(activation, grid).second + bias_variance
    arrived = after <= grid if upward else after >= grid
    if not arrived.any():
        return inf if upward else 0.0
    first = int(np.argmax(arrived))
    return root(gain, start if first == 0 else float(grid[first - 1]), float(grid[first]))


def _fixed_correlation(
    activation: Activation, sigma_w2: float, bias_variance: float, variance: float, chi: float
) -> float:
    """Return the stable c* of the correlation map at a fixed variance.

    c = 1 is always fixed, and stable if chi <= 1; else the map crosses the diagonal below 1.
    """
    if chi <= 1 + _ROUNDING:
        return 1.0

    def distance(c: float) -> float:
        covariance = sigma_w2 * pair_moments(activation, variance, c)[0] + bias_variance
        return covariance / variance - c

    closest = 1 - _CLOSEST
    if distance(closest) >= 0:
        return 1.0
    lowest = distance(0.0)
    if lowest <= _ROUNDING:  # odd phi without bias: unlike examples stay orthogonal
        return 0.0
    return brentq(distance, 0.0, closest, xtol=1e-10)


def _scale(factor: float) -> float:
    """Layers for a factor of e, or inf if there is none; 0 if one layer takes all."""
    if factor <= 0:
        return 0.0
    return inf if factor == 1 else 1 / abs(log(factor))
