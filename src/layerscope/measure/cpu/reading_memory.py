"""Where the kernels find the options of a tally's rows, and write its readings."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import carray  # type: ignore[attr-defined]

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import load_i64, pointer
from layerscope.measure.moments import MOMENTS
from layerscope.measure.reading import BUCKETS, Reading
from layerscope.measure.row_options import RowOptions


class ReadingToFill(NamedTuple):
    """Where a reading of all rows is to be written.

    Attributes:
        several: moments, linear and logarithmic buckets of several readings.
        place: of this one among them.
        addresses: of the three.
    """

    several: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]
    place: int
    addresses: tuple[int, int, int]

    @property
    def arrays(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Moments, linear and logarithmic buckets of all rows."""
        moments, linear, logarithmic = self.several
        return moments[self.place], linear[self.place], logarithmic[self.place]


def first_rows(filled: ReadingToFill, rows: int, carried: tuple[float, ...]) -> Reading:
    """What was written of the first rows, with what travels along."""
    moments, linear, logarithmic = filled.arrays
    return Reading(moments[:rows], linear[:rows], logarithmic[:rows], carried)


_AT_MOST, _BYTES = 16, 1 << 18
"""Readings whose memory is taken at once: so many, and so many bytes, unless one takes more."""


@jit
def arrays_of(rows, options, moments, linear, logarithmic):  # type: ignore[no-untyped-def]
    """What lies at the addresses that `ReadingMemory` has.

    Returns:
        Of each row: float64 [rows, 2], the least range that its linear buckets show, NaN for the
        measured one; bool [rows], whether to fill its logarithmic buckets; uint8 [rows], its state,
        see `whole_rows`; float64 [rows, MOMENTS]; float32 [rows, BUCKETS, 3], left, right and count
        of the linear buckets, and the same of log10 |x|, the zeros first.
    """
    return (
        carray(pointer(load_i64(options, 0)), (rows, 2), np.float64),
        carray(pointer(load_i64(options, 1)), (rows,), np.bool_),
        carray(pointer(load_i64(options, 2)), (rows,), np.uint8),
        carray(pointer(moments), (rows, MOMENTS), np.float64),
        carray(pointer(linear), (rows, BUCKETS, 3), np.float32),
        carray(pointer(logarithmic), (rows, BUCKETS, 3), np.float32),
    )


class ReadingMemory:
    """Memory of a tally's readings, with its addresses: it is taken for several at once.

    Attributes:
        states: of the rows, see `whole_rows`.
        options: address of those of the axes, of whether there is a logarithm, and of the states.
    """

    def __init__(self, options: RowOptions) -> None:
        self.states = bytearray(options.rows)
        self._options = options
        self._states = np.frombuffer(self.states, np.uint8)
        of_rows = options.axes, options.logarithmic, self._states
        self._addresses = np.array([each.ctypes.data for each in of_rows], np.int64)
        self.options = int(self._addresses.ctypes.data)
        size = options.rows * 8 * (MOMENTS + 3 * BUCKETS)
        self._several = max(min(_AT_MOST, _BYTES // max(size, 1)), 1)
        self._left = 0

    def take(self) -> ReadingToFill:
        """One more reading; what it holds is not set."""
        if not self._left:
            rows, self._left = self._options.rows, self._several
            buckets = self._left, rows, BUCKETS, 3
            moments = np.empty((self._left, rows, MOMENTS))
            self._arrays = moments, np.empty(buckets, np.float32), np.empty(buckets, np.float32)
            self._ends = tuple(each.ctypes.data + each.nbytes for each in self._arrays)
            self._sizes = moments.strides[0], self._arrays[1].strides[0]
        left = self._left
        self._left -= 1
        of_moments, of_linear, of_logarithmic = self._ends
        size, of_buckets = self._sizes
        return ReadingToFill(
            self._arrays,
            -left,
            (
                of_moments - left * size,
                of_linear - left * of_buckets,
                of_logarithmic - left * of_buckets,
            ),
        )
