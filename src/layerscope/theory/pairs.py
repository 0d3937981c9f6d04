"""What two correlated Gaussian pre-activations become: E[phi(z1) phi(z2)] and that of the slopes.

The plane's integral is nested: over z1, and for each z1 over z2 given z1, which is normal with
mean c z1 and variance q (1 - c^2). Both are cut into panels, at 0, where phi varies or has a kink,
and about the mean, at the Gaussian's scale: a rule that knows only one of the two loses the other.
"""

from functools import lru_cache
from math import ceil, log2, sqrt

import numpy as np

from layerscope.theory.activations import Activation, Array
from layerscope.theory.moments import LARGEST, SMALLEST, moments
from layerscope.theory.quadrature import REACH, gaussian_nodes, legendre_panels

_AROUND_MEAN = np.array([-REACH, -6.5, -4.5, -3.0, -1.5, 0.0, 1.5, 3.0, 4.5, 6.5, REACH])
_ORDER = 8  # the plane needs its square: errors of 1e-9 are enough, at half the time of 12
_EQUAL = 1e-14  # 1 - c^2 below this is rounding
_FAR = 1e6  # beyond this variance phi looks like a step or two straight lines: only scales change


@lru_cache(maxsize=4096)  # a deep network asks for its fixed point again and again
def pair_moments(
    activation: Activation, variance: float, correlation: float
) -> tuple[float, float]:
    """Return E[phi(z1) phi(z2)] and E[phi'(z1) phi'(z2)] for z1, z2 ~ N(0, variance).

    The errors are below 1e-6 of E[phi^2] and of E[phi'^2] for variances from 1e-12 to 1e6 and any
    correlation from -1 to 1. Closed forms in the tests: Cho and Saul (2009), "Kernel Methods for
    Deep Learning", for relu; Williams (1997), "Computing with infinite networks", for erf.
    """
    if variance > _FAR:
        near, far = moments(activation, _FAR), moments(activation, min(variance, LARGEST))
        value, slope = pair_moments(activation, _FAR, correlation)
        return (
            value * float(far.second / near.second),
            slope * float(far.slope_second / near.slope_second),
        )
    q = max(variance, SMALLEST)
    c = min(max(correlation, -1.0), 1.0)
    rest = (1 - c) * (1 + c)
    if c > 0 and rest < _EQUAL:
        one = moments(activation, q)
        return float(one.second), float(one.slope_second)
    # The inner integral varies, in z1, where c z1 passes 0 within a spread of sqrt(rest).
    z1, w1 = gaussian_nodes(q, _ORDER, resolution=max(sqrt(rest), sqrt(_EQUAL)))
    z2, w2 = _given(c * z1, sqrt(q * rest))
    values = np.sum(w2 * activation.value(z2), axis=-1)
    slopes = np.sum(w2 * activation.slope(z2), axis=-1)
    return (
        float(np.sum(w1 * activation.value(z1) * values)),
        float(np.sum(w1 * activation.slope(z1) * slopes)),
    )


def _given(mean: Array, spread: float) -> tuple[Array, Array]:
    """Nodes and weights [n, nodes] of E[f(z)] for z ~ N(mean, spread^2), mean [n]."""
    if spread == 0:
        return mean[:, None], np.ones((len(mean), 1))
    low, high = mean[:, None] - REACH * spread, mean[:, None] + REACH * spread
    # phi's own scale is 1: its panels double from there to where the Gaussian ends.
    farthest = max(float(high.max()), 1.0)
    own = 0.5 * 2.0 ** np.arange(ceil(log2(2 * farthest)))
    edges = np.concatenate([-own, [0.0], own])
    edges = np.concatenate(
        [
            mean[:, None] + spread * _AROUND_MEAN,
            np.clip(np.broadcast_to(edges, (len(mean), len(edges))), low, high),
        ],
        axis=1,
    )
    z, w = legendre_panels(np.sort(edges, axis=1), _ORDER)
    density = np.exp(-(((z - mean[:, None]) / spread) ** 2) / 2) / (spread * sqrt(2 * np.pi))
    return z, w * density
