"""The compact form in which a device sends what its rows hold: 600 bytes a row.

A row is float64 [TRANSFERRED]: the moments, by `MomentColumn`; the range that is shown, left and
right; the bins of the logarithmic range, nearest and farthest from zero, both 0 where it is not
shown; then the elements below the right edge of each linear bucket; and the same for the
logarithmic ones, the zeros first. Counts are whole and exact up to 2**53.
"""

import numpy as np
import numpy.typing as npt

from layerscope.measure.log_axis import log10_of, octaves_below
from layerscope.measure.moments import MOMENTS
from layerscope.measure.reading import BUCKETS, NOTHING_CARRIED, Reading

LEFT, RIGHT, NEAREST, FARTHEST = range(MOMENTS, MOMENTS + 4)
LINEAR = MOMENTS + 4
LOGARITHMIC = LINEAR + BUCKETS
TRANSFERRED = LOGARITHMIC + BUCKETS


def reading_of(
    sent: npt.NDArray[np.float64], carried: tuple[float, ...] = NOTHING_CARRIED
) -> Reading:
    """The reading of k rows, from what was sent, [k, TRANSFERRED]; it keeps no reference to it."""
    share = np.arange(BUCKETS + 1) / BUCKETS
    left, right = sent[:, LEFT, None], sent[:, RIGHT, None]
    linear = _buckets(left * (1.0 - share) + right * share, sent[:, LINEAR:LOGARITHMIC])

    shown = sent[:, FARTHEST] > 0
    bins = sent[:, [NEAREST, FARTHEST]].astype(np.int64)
    start = octaves_below(np.maximum(bins[:, 0], 1))[:, None]
    width = (octaves_below(bins[:, 1] + 1)[:, None] - start) / (BUCKETS - 1)
    edges = log10_of(start + np.arange(-1, BUCKETS) * width)  # the first bucket holds the zeros
    logarithmic = _buckets(edges * shown[:, None], sent[:, LOGARITHMIC:])
    return Reading(sent[:, :MOMENTS].copy(), linear, logarithmic, carried)


def _buckets(
    edges: npt.NDArray[np.float64], reached: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """float32 [k, BUCKETS, 3] from edges [k, BUCKETS + 1] and the elements below each right one."""
    out = np.empty((*reached.shape, 3), np.float32)
    out[..., 0], out[..., 1] = edges[:, :-1], edges[:, 1:]
    out[..., 2] = np.diff(reached, axis=1, prepend=0.0)
    return out
