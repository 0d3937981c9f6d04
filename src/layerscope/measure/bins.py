"""The bins: a float's sign, exponent and first mantissa bits are its bin number.

This is the layout of HdrHistogram and the linear mapping of DDSketch (Masson, Rim, Lee 2019,
section 2.2): every power of two is cut into 2**MANTISSA_BITS equal parts. There is no range to
choose and nothing is clipped; every layer, step, rank and device has the same bins, so histograms
merge by addition.

Bins are numbered in the order of their values::

    0 ...... ZERO - 1     negative, from -2**128 up to -2**-149
    ZERO                  exactly zero, of either sign
    ZERO + 1 .... BINS-1  positive, from 2**-149 up to 2**128

All float32, bfloat16 and float16 values, the subnormal ones too, have a bin of their own scale.
float64 values beyond that range are counted in the outermost bin, or the innermost, of their sign.
NaN and infinities have no bin: they are counted beside the bins.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MANTISSA_BITS = 7
"""Seven bits: a bin is at most 1/128 of its value wide, and a bfloat16 value is its own bin."""

LOWEST_EXPONENT = -149
"""Exponent of the smallest float32 above zero."""

OCTAVES = 277
"""Powers of two from 2**-149 to 2**127."""

MAGNITUDES = OCTAVES << MANTISSA_BITS
"""Bins of one sign."""

ZERO = MAGNITUDES
"""The bin of zero."""

BINS = 2 * MAGNITUDES + 1

QUANTILE_ERROR = 2.0 ** -(MANTISSA_BITS + 1)
"""A bin's middle is within this share of every value in the bin."""


def bin_of(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The bin number of each finite value: NumPy, for tests and axes; kernels do it from bits."""
    x = np.asarray(values, dtype=np.float64)
    if not np.isfinite(x).all():
        raise ValueError("values must be finite: NaN and infinities have no bin")
    mantissa, exponent = np.frexp(np.abs(x))  # |x| = mantissa * 2**exponent, mantissa in [0.5, 1)
    octave = exponent.astype(np.int64) - 1 - LOWEST_EXPONENT
    part = ((2 * mantissa - 1) * (1 << MANTISSA_BITS)).astype(np.int64)
    magnitude = np.clip((octave << MANTISSA_BITS) + part, 0, MAGNITUDES - 1)
    return ZERO + np.where(x == 0, 0, np.sign(x).astype(np.int64) * (magnitude + 1))


def bin_bounds(
    bins: npt.ArrayLike,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The least and the greatest value of each bin; both 0 for the bin of zero."""
    signed = np.asarray(bins, dtype=np.int64) - ZERO
    magnitude = np.abs(signed) - 1
    octave, part = magnitude >> MANTISSA_BITS, magnitude & ((1 << MANTISSA_BITS) - 1)
    size = np.exp2(octave + LOWEST_EXPONENT)
    near = size * (1 + part / (1 << MANTISSA_BITS))
    far = size * (1 + (part + 1) / (1 << MANTISSA_BITS))
    zero = signed == 0
    near, far = np.where(zero, 0.0, near), np.where(zero, 0.0, far)
    return np.where(signed < 0, -far, near), np.where(signed < 0, -near, far)
