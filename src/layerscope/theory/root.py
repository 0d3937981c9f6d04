"""A root between two neighbours of a grid."""

from collections.abc import Callable
from math import exp, log

import numpy as np

from layerscope.theory.special import brentq

RANGE = np.geomspace(1e-12, 1e6, 541)
"""Variances among which a fixed point is sought: 30 a decade."""


def root(f: Callable[[float], float], low: float, high: float) -> float:
    """Return the positive number between low and high where f is 0, to a relative 1e-13.

    Brent's method, over the logarithm. Where f has one sign at both ends, because the grid saw its
    zero within rounding of one of them, that end is the root.
    """
    at_low, at_high = f(low), f(high)
    if at_low * at_high >= 0:
        return low if abs(at_low) < abs(at_high) else high
    return exp(brentq(lambda x: f(exp(x)), log(low), log(high), xtol=1e-13, rtol=1e-13))
