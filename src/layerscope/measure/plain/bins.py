"""The bins' numbering in plain torch, from the bits of float64."""

import torch
from torch import Tensor

from layerscope.measure.bins import LOWEST_EXPONENT, MAGNITUDES, MANTISSA_BITS

_BIAS = 1023
_SHIFT = 52 - MANTISSA_BITS


def magnitude_of(values: Tensor) -> Tensor:
    """Bins between zero and finite float64 values that are not zero: int64, 1 to MAGNITUDES."""
    bits = values.abs().view(torch.int64)
    index = (bits >> _SHIFT) - ((_BIAS + LOWEST_EXPONENT) << MANTISSA_BITS)
    return index.clamp(0, MAGNITUDES - 1) + 1


def lower_edge_of(magnitude: Tensor) -> Tensor:
    """The least absolute value, float64, of the bins that are `magnitude` bins from zero."""
    index = magnitude - 1 + ((_BIAS + LOWEST_EXPONENT) << MANTISSA_BITS)
    return (index << _SHIFT).view(torch.float64)
