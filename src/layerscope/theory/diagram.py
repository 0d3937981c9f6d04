"""The phase diagram of an activation: how deep a signal gets, for each weight and bias variance.

Poole et al. (2016) and Schoenholz et al. (2017) draw it for tanh.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layerscope.arguments import finite_and_not_negative
from layerscope.theory.activations import Activation, Array, activation_named
from layerscope.theory.critical import NoCriticalPoint, critical, critical_line
from layerscope.theory.moments import moments
from layerscope.theory.root import RANGE

_LOG_RANGE = np.log(RANGE)


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth
class PhaseDiagram:
    """What to draw: a colour for each point of a grid, and a line across it.

    Attributes:
        sigma_w2: weight variances times fan_in, [W].
        bias_variance: [B].
        variance: q* at each point, [W, B]; 0 or inf where there is none within 1e-12 to 1e6.
        chi: factor of the gradient's mean square per layer, [W, B]: below 1 ordered, above chaotic.
        depth_scale: layers over which it changes by a factor of e, 1 / |ln chi|, [W, B].
        line_sigma_w2: of the points of the critical line, [n]; not confined to the grid.
        line_bias_variance: likewise, [n].
    """

    activation: str
    sigma_w2: Array
    bias_variance: Array
    variance: Array
    chi: Array
    depth_scale: Array
    line_sigma_w2: Array
    line_bias_variance: Array


def phase_diagram(
    activation: str, sigma_w2: Sequence[float] | Array, bias_variance: Sequence[float] | Array
) -> PhaseDiagram:
    """Find the fixed point and the depth scale of every pair of variances; 10,000 take 0.3 s.

    The maps are tabulated at 541 variances and interpolated: q* and chi are within 1e-3 of those
    of `phase_of`, finer than a picture shows. Inputs have a mean square of 1.

    Args:
        sigma_w2: weight variances times fan_in, [W].
        bias_variance: [B].

    Raises:
        ValueError: an unknown activation, an empty axis, or a variance that is negative or not
            finite.
    """
    phi = activation_named(activation)
    axes = {
        "sigma_w2": np.asarray(sigma_w2, dtype=np.float64),
        "bias_variance": np.asarray(bias_variance, dtype=np.float64),
    }
    for name, axis in axes.items():
        if axis.ndim != 1 or not axis.size:
            raise ValueError(f"{name} must be a list of at least 1 number, got shape {axis.shape}")
        finite_and_not_negative(**{f"{name}[{i}]": float(value) for i, value in enumerate(axis)})
    weights, biases = axes["sigma_w2"], axes["bias_variance"]
    table = moments(phi, RANGE)
    variance = np.array(
        [[_fixed(w * table.second + b, np.log(w + b + RANGE[0])) for b in biases] for w in weights]
    )
    within = np.log(np.clip(variance, RANGE[0], RANGE[-1]))
    chi = weights[:, None] * np.interp(within, _LOG_RANGE, table.slope_second)
    with np.errstate(divide="ignore"):
        depth_scale = 1 / np.abs(np.log(chi))
    return PhaseDiagram(
        activation, weights, biases, variance, chi, depth_scale, *_line(phi, biases)
    )


def _fixed(after: Array, log_start: float) -> float:
    """The fixed point that iteration of the tabulated map tends to, by linear interpolation."""
    with np.errstate(divide="ignore"):
        gain = np.log(after) - _LOG_RANGE
    start = int(np.clip(np.searchsorted(_LOG_RANGE, log_start), 1, len(RANGE) - 1))
    if gain[start] > 0:
        crossed = np.flatnonzero(gain[start:] <= 0)
        if not crossed.size:
            return float(np.inf)
        high = start + int(crossed[0])
    else:
        crossed = np.flatnonzero(gain[:start] >= 0)
        if not crossed.size:
            return 0.0
        high = int(crossed[-1]) + 1
    low = high - 1
    share = gain[low] / (gain[low] - gain[high]) if gain[low] > gain[high] else 0.0
    return float(np.exp(_LOG_RANGE[low] + share * (_LOG_RANGE[high] - _LOG_RANGE[low])))


def _line(activation: Activation, biases: Array) -> tuple[Array, Array]:
    """The critical line, where its fixed points attract and its bias variance is not negative."""
    if activation.scale_free:  # chi does not depend on the variance: a straight line
        return np.full_like(biases, 1 / float(moments(activation, 1.0).slope_second)), biases
    at = moments(activation, RANGE)
    sigma_w2, bias_variance = critical_line(activation, RANGE)
    on = (bias_variance >= 0) & (at.second_growth <= at.slope_second)
    try:
        start = critical(activation.name, 0.0).sigma_w2
    except NoCriticalPoint:  # it begins at a bias variance above 0
        return sigma_w2[on], bias_variance[on]
    return np.append(start, sigma_w2[on]), np.append(0.0, bias_variance[on])
