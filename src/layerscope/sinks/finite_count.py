"""How many elements of each channel are finite."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Columns of Reading.moments: the fields of Moments in their order.
_COUNT, _, _NAN, _POSITIVE, _NEGATIVE = range(5)


def finite_count(moments: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The number of finite elements, float64 [k], of moments [k, 11]."""
    finite: npt.NDArray[np.float64] = moments[:, _COUNT] - (
        moments[:, _NAN] + moments[:, _POSITIVE] + moments[:, _NEGATIVE]
    )
    return finite
