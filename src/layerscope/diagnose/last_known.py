"""A figure that is measured in some steps only: as first known, and as last known in each."""

from typing import Any

import numpy as np
import numpy.typing as npt

Series = npt.NDArray[np.float64]


def last_known(values: Series, last: Series) -> Series:
    """What was last known as of each step.

    Args:
        values: of the steps, [steps] or [steps, layers]; NaN where it is not known.
        last: [1] or [layers], what was last known before them; afterwards, of this block.
    """
    joined = np.concatenate([last.reshape(1, *values.shape[1:]), values])
    steps = np.arange(len(joined)).reshape(-1, *[1] * (values.ndim - 1))
    place = np.maximum.accumulate(np.where(np.isnan(joined), 0, steps))
    seen: Series = np.take_along_axis(joined, place, axis=0)[1:]
    last[:] = seen[-1]
    return seen


def note_first(values: npt.NDArray[Any], first: Series) -> None:
    """Keep what each layer's figure was when it was first known.

    Args:
        values: of the steps, [steps, layers]; NaN where it is not known.
        first: [layers], NaN where it has not been known yet; written in place.
    """
    unknown = np.isnan(first)
    if unknown.any():
        at = (~np.isnan(values)).argmax(axis=0)  # 0 where it is never known: NaN as well
        np.copyto(first, values[at, np.arange(len(first))], where=unknown)
