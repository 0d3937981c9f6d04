"""The logarithmic axis, cut without a transcendental function.

A bin's lower edge is 2**octave * (1 + part / 128): its log2 is the octave plus one of 129 numbers.
With these in a table, the place of an edge among the bins takes additions, comparisons and one
division only, which every device rounds alike; so the CPU and the GPU put the same number of
elements into every bucket.
"""

import numpy as np
import numpy.typing as npt

from layerscope.measure.bins import LOWEST_EXPONENT, MANTISSA_BITS

LOG2_PARTS = np.log2(1 + np.arange((1 << MANTISSA_BITS) + 1) / (1 << MANTISSA_BITS))
"""float64 [129], log2 of the lower edges of an octave's bins, as octaves above its start."""

LOG10_2 = float(np.log10(2.0))


def octaves_below(magnitudes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Octaves from the least bin's lower edge, 2**-149, to the lower edges of these bins.

    Args:
        magnitudes: bins between zero and the bin, from 1.
    """
    octave, part = (
        (magnitudes - 1) >> MANTISSA_BITS,
        (magnitudes - 1) & ((1 << MANTISSA_BITS) - 1),
    )
    return octave + LOG2_PARTS[part]


def log10_of(octaves: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """log10 of the values that lie so many octaves above 2**-149."""
    return (octaves + LOWEST_EXPONENT) * LOG10_2
