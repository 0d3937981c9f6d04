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
