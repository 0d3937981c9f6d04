"""SciPy's functions, imported when first called: a run that no theory is told of needs no SciPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def _special(name: str) -> Callable[[Array], Array]:
    def function(z: Array) -> Array:
        from scipy import special

        return getattr(special, name)(z)

    return function


expit, ndtr, erfc = map(_special, ("expit", "ndtr", "erfc"))
"""The logistic sigmoid; the standard normal distribution function; 1 - erf."""


def brentq(f: Callable[[float], float], low: float, high: float, **tolerances: Any) -> float:
    """A zero of f between low and high, where it has different signs, by Brent's method."""
    from scipy import optimize

    return float(optimize.brentq(f, low, high, **tolerances))
