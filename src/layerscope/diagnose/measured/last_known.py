"""A figure that is measured in some steps only: as first known, and as last known in each."""

from typing import Any

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.measured.figures import Series


def last_known(values: Series, last: Series) -> Series:
    """What was last known as of each step.

    Args:
        values: of the steps, [steps] or [steps, layers]; NaN where it is not known.
        last: [1] or [layers], what was last known before them; afterwards, of this block.
    """
    if values.ndim == 1:  # by far the most common
        return _of_run(values, last)
    joined = np.concatenate([last[np.newaxis], values])
    steps = np.arange(len(joined))[:, np.newaxis]
    place = np.maximum.accumulate(np.where(np.isnan(joined), 0, steps))
    seen: Series = joined[place, np.arange(joined.shape[1])][1:]
    last[:] = seen[-1]
    return seen


def _of_run(values: Series, last: Series) -> Series:
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return np.full(len(values), last[0])
    seen: Series = np.full(len(values), last[0])
    lengths = np.append(known[1:], len(values)) - known
    seen[known[0] :] = np.repeat(values[known], lengths)
    last[0] = seen[-1]
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
