"""16-bit floats become float32 of the same value, some at a time, where the L1 cache holds them."""

import numpy as np

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.kinds import BFLOAT16
from layerscope.measure.cpu.raw_memory import f32_from_bits, load_i16, store_f32, store_i32

_I = np.int32


@jit
def _widen_bfloat16(address, size, target):  # type: ignore[no-untyped-def]
    for i in range(size):
        store_i32(target, i, _I(_I(load_i16(address, i)) << _I(16)))


@jit
def _widen_float16(address, size, target):  # type: ignore[no-untyped-def]
    """Exponent and mantissa moved into float32's places, and the bias put right by a product."""
    for i in range(size):
        half = _I(load_i16(address, i))
        absolute = _I(half & _I(0x7FFF))
        value = f32_from_bits(_I(absolute << _I(13))) * np.float32(2.0**112)
        if absolute >= _I(0x7C00):
            value = np.float32(np.inf) if absolute == _I(0x7C00) else np.float32(np.nan)
        store_f32(target, i, -value if half < _I(0) else value)


@jit
def widen(kind, address, size, target):  # type: ignore[no-untyped-def]
    """Write `size` float32 to the address `target`, from BFLOAT16 or FLOAT16 at `address`."""
    if kind == BFLOAT16:
        _widen_bfloat16(address, size, target)
    else:
        _widen_float16(address, size, target)
