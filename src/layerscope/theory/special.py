"""SciPy's functions, imported when first called: a run that no theory is told of needs no SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def expit(z: Array) -> Array:
    """The logistic sigmoid."""
    from scipy import special

    found: Array = special.expit(z)
    return found


def ndtr(z: Array) -> Array:
    """The standard normal distribution function."""
    from scipy import special

    found: Array = special.ndtr(z)
    return found


def erfc(z: Array) -> Array:
    """1 - erf(z)."""
    from scipy import special

    found: Array = special.erfc(z)
    return found


def brentq(f: Callable[[float], float], low: float, high: float, **tolerances: Any) -> float:
    """A zero of f between low and high, where it has different signs, by Brent's method."""
    from scipy import optimize

    return float(optimize.brentq(f, low, high, **tolerances))
