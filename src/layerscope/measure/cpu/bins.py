"""The bins' numbering for the CPU kernels, from the bits of float64."""

from layerscope.measure.bins import LOWEST_EXPONENT, MAGNITUDES, MANTISSA_BITS, ZERO
from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import bits_from_f64, f64_from_bits

_PARTS = (1 << MANTISSA_BITS) - 1


@jit
def magnitude_of(value):  # type: ignore[no-untyped-def]
    """Bins between zero and a finite value that is not zero: 1 to MAGNITUDES."""
    bits = bits_from_f64(value)
    octave = ((bits >> 52) & 0x7FF) - 1023 - LOWEST_EXPONENT
    if octave < 0:
        return 1
    part = (bits >> (52 - MANTISSA_BITS)) & _PARTS
    return min((octave << MANTISSA_BITS) + part, MAGNITUDES - 1) + 1


@jit
def bin_of(value):  # type: ignore[no-untyped-def]
    """The bin of a finite value."""
    if value == 0.0:
        return ZERO
    magnitude = magnitude_of(value)
    return ZERO + magnitude if value > 0 else ZERO - magnitude


@jit
def lower_edge_of(magnitude):  # type: ignore[no-untyped-def]
    """The least absolute value of the bin that is `magnitude` bins from zero."""
    biased = magnitude - 1 + ((LOWEST_EXPONENT + 1023) << MANTISSA_BITS)
    return f64_from_bits(biased << (52 - MANTISSA_BITS))
