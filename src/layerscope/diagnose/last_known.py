"""A figure that is measured in some steps only, as last known in each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Series = npt.NDArray[np.float64]


def last_known(values: Series, last: Series) -> Series:
    """What was last known as of each step.

    Args:
        values: of the steps; NaN where it is not known.
        last: [1], what was last known before them; afterwards, of this block.
    """
    joined = np.append(last, values)
    place = np.maximum.accumulate(np.where(np.isnan(joined), 0, np.arange(len(joined))))
    seen: Series = joined[place][1:]
    last[0] = seen[-1]
    return seen
