"""Along which axis of an output its classes lie: the loss's gradient tells."""

import numpy as np
import numpy.typing as npt

_CLOSE = 2e-3
"""Relative: float32's rounding."""

_MOST = 0.95
"""Of the rows: a class that is all but certain leaves rounding."""

Rows = npt.NDArray[np.float64]


def is_of_classes(gradient: Rows) -> bool:
    """Whether it is that of a cross-entropy of classes along the last axis: there it adds up to
    zero with one negative entry, in nearly all rows that have any.

    Args:
        gradient: d loss / d output, [..., classes].
    """
    return _fits(gradient, _is_balanced(gradient) & (np.count_nonzero(gradient < 0, -1) == 1))


def is_of_one_class(gradient: Rows) -> bool:
    """Whether it is that of a loss of one class of those along the last axis, as `is_of_classes`
    has it; or of minus such a loss; or of a likelihood, which has an entry at that class alone.
    """
    signs = [np.count_nonzero(each, -1) for each in (gradient < 0, gradient > 0)]
    balanced = _is_balanced(gradient)
    of_one = [balanced & (count == 1) for count in signs]
    return any(_fits(gradient, fits) for fits in (*of_one, (signs[0] == 1) & (signs[1] == 0)))


def _is_balanced(gradient: Rows) -> npt.NDArray[np.bool_]:
    balanced: npt.NDArray[np.bool_] = np.abs(gradient.sum(-1)) <= _CLOSE * np.abs(gradient).sum(-1)
    return balanced


def _fits(gradient: Rows, fits: npt.NDArray[np.bool_]) -> bool:
    if gradient.shape[-1] < 2:
        return False
    size = np.abs(gradient).sum(-1)
    told = size > 1e-6 * size.max()
    return bool(told.any()) and bool(fits[told].mean() >= _MOST)
