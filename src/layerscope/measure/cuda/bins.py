"""The bins' numbering in Triton, from the bits of float32 or float64."""

# Triton compiles what follows a `return` without an `else` too.
# ruff: noqa: RET505
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl

from layerscope.measure import bins

# Triton reads module constants only if they are constexpr.
ZERO = tl.constexpr(bins.ZERO)
BINS = tl.constexpr(bins.BINS)
MAGNITUDES = tl.constexpr(bins.MAGNITUDES)
BITS = tl.constexpr(bins.MANTISSA_BITS)
OCTAVE = tl.constexpr(1 << bins.MANTISSA_BITS)

_SHIFT32 = tl.constexpr(23 - bins.MANTISSA_BITS)
_SHIFT64 = tl.constexpr(52 - bins.MANTISSA_BITS)
_LOWEST = tl.constexpr(bins.LOWEST_EXPONENT)
_BASE64 = tl.constexpr((1023 + bins.LOWEST_EXPONENT) << bins.MANTISSA_BITS)
_SMALLEST_NORMAL = tl.constexpr(0x00800000)
NORMAL = tl.constexpr(((-127 - bins.LOWEST_EXPONENT) << bins.MANTISSA_BITS) + 1)
_SUBNORMAL = tl.constexpr((-127 << bins.MANTISSA_BITS) + 1)


@triton.jit
def magnitude_of(value):
    """Bins between zero and finite values that are not zero: int32, 1 to MAGNITUDES."""
    if value.dtype == tl.float64:
        bits = value.to(tl.int64, bitcast=True) & 0x7FFFFFFFFFFFFFFF
        index = (bits >> _SHIFT64) - _BASE64
        return (tl.minimum(tl.maximum(index, 0), MAGNITUDES - 1) + 1).to(tl.int32)
    else:
        bits = value.to(tl.int32, bitcast=True) & 0x7FFFFFFF
        normal = bits >= _SMALLEST_NORMAL
        # A subnormal is its bits times 2**-149: as a float they have an exponent of their own.
        scaled = bits.to(tl.float32).to(tl.int32, bitcast=True)
        index = tl.where(normal, bits, scaled) >> _SHIFT32
        return index + tl.where(normal, NORMAL, _SUBNORMAL)


@triton.jit
def lower_edge_of(magnitude):
    """The least absolute value, float64, of the bins that are `magnitude`, int64, from zero."""
    return ((magnitude - 1 + _BASE64) << _SHIFT64).to(tl.float64, bitcast=True)
