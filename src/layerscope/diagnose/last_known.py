"""A figure that is measured in some steps only, as last known in each."""

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
