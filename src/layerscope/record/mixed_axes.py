"""Whether a `view` stands in the place of a transpose between the output and a cross-entropy."""

import numpy as np
from torch import Tensor

_CLOSE = 2e-3
"""Relative: float32's rounding."""

_SOME = 4
"""Samples, and positions along each axis, that are looked at: it is exact."""

_MOST = 0.95
"""Of the rows: a class that is all but certain leaves rounding."""


def mixes_axes(gradient: Tensor) -> bool:
    """Whether the loss took classes and positions of the output for each other.

    The gradient of a cross-entropy adds up to zero over the classes, with one negative entry. That
    of an output [n, positions, classes] does so along its last axis, or along its second if classes
    come first; wherever `movedim` or `transpose` has put them for the loss. If it does so along no
    axis of the output, but along the classes of the same memory cut the other way, [n, classes,
    positions], then a `view` or `reshape` has cut it so.

    Args:
        gradient: d loss / d output, [n, ...].
    """
    if gradient.ndim < 3 or not gradient.shape[0]:
        return False
    part = gradient.detach()[:_SOME]
    if any(_is_of_classes(part.movedim(axis, -1)) for axis in range(1, part.ndim)):
        return False
    count, first, last = part.shape[0], part.shape[1], part.shape[-1]
    return any(
        _is_of_classes(rows)
        for rows in (part.reshape(count, -1, first), part.reshape(count, last, -1).mT)
    )


def _is_of_classes(rows: Tensor) -> bool:
    """Whether the last axis adds up to zero with one negative entry, in rows that have any."""
    if rows.shape[-1] < 2:
        return False
    every = (slice(None, None, max(size // _SOME, 1)) for size in rows.shape[1:-1])
    some = rows[:, *every].cpu().double().numpy()  # device to host, where there is one
    size = np.abs(some).sum(-1)
    told = size > 1e-6 * size.max()
    fits = (np.abs(some.sum(-1)) <= _CLOSE * size) & (np.count_nonzero(some < 0, -1) == 1)
    return bool(told.any()) and bool(fits[told].mean() >= _MOST)
