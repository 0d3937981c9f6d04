"""What comes out of a tally: the moments and buckets of its rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from layerscope.measure.moments import MomentColumn, Moments

BUCKETS = 30
"""What TensorBoard's histogram chart draws; more would be merged again by it."""

CARRIED = 8
"""Slots for scalars that travel along with a reading, such as the loss."""

NOTHING_CARRIED = (0.0,) * CARRIED

_SCALED = [MomentColumn.MEAN, MomentColumn.ABSOLUTE_SUM, MomentColumn.MINIMUM, MomentColumn.MAXIMUM]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What the first k rows of a tally held.

    Attributes:
        moments: float64 [k, MOMENTS], by `MomentColumn`.
        linear: float32 [k, 30, 3], left, right and count of equal buckets between the extremes, or
            over the row's axis; all zero where nothing finite was measured.
        logarithmic: the same of log10 |x|, the zeros in the first bucket; unset if not asked for.
        carried: of each of the CARRIED slots the sum of what was put there; 0 without any.
    """

    moments: npt.NDArray[np.float64]
    linear: npt.NDArray[np.float32]
    logarithmic: npt.NDArray[np.float32]
    carried: tuple[float, ...] = NOTHING_CARRIED

    @property
    def finite(self) -> npt.NDArray[np.float64]:
        """Finite elements of each row: float64 [k]."""
        return finite_of(self.moments)

    def moments_of(self, position: int) -> Moments:
        """The moments of the row at a position."""
        row = self.moments[position].tolist()
        counts, figures = row[: MomentColumn.MEAN], row[MomentColumn.MEAN :]
        return Moments(*(int(count) for count in counts), *figures)

    def scaled(self, rows: npt.NDArray[np.bool_], factor: float) -> Reading:
        """The same with the values of some rows multiplied by a factor above 0.

        Args:
            rows: bool [k], which.
            factor: such as 1 / the loss scale, for gradients.
        """
        if factor == 1 or not rows.any():
            return self
        moments, linear, logarithmic = self.moments.copy(), self.linear.copy(), self.logarithmic
        for column in _SCALED:
            moments[rows, column] *= factor
        moments[rows, MomentColumn.SQUARED_DEVIATIONS] *= factor * factor
        linear[rows, :, :2] *= np.float32(factor)
        logarithmic = logarithmic.copy()
        logarithmic[rows, :, :2] += np.float32(math.log10(factor))
        return Reading(moments, linear, logarithmic, self.carried)


def finite_of(moments: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Finite elements, float64 [...], of moments, [..., MOMENTS]."""
    not_finite = moments[..., MomentColumn.NAN : MomentColumn.NEGATIVE_INF + 1].sum(-1)
    return moments[..., MomentColumn.COUNT] - not_finite
