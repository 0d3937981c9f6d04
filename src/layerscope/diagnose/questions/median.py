"""The median of what is known."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Number = TypeVar("_Number", bound=np.floating)


def known_median(values: npt.NDArray[_Number], axis: int) -> npt.NDArray[_Number]:
    """Along an axis of a matrix, leaving NaN out; the lower of two middles; NaN if all are.

    >>> known_median(np.array([[3.0, np.nan, 1.0, 2.0], [np.nan] * 4]), axis=1)
    array([ 2., nan])
    """
    known = (~np.isnan(values)).sum(axis=axis, keepdims=True)
    middle = np.maximum(known - 1, 0) // 2  # NaN are sorted to the end
    return np.take_along_axis(np.sort(values, axis=axis), middle, axis).squeeze(axis)
