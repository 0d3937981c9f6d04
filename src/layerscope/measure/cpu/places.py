"""Which bucket each element of a block falls into, and how many fall into each.

Places are int32. One that rounding has put a bucket beyond the last is folded into the last.
"""

from functools import partial

import numpy as np

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import (
    f32_from_bits,
    increment_u32,
    load_f32,
    load_f64,
    load_i32,
    store_i32,
)
from layerscope.measure.reading import BUCKETS

_I, _F = np.int32, np.float32

# log2(1 + u) for u in [0, 1), to 2e-5: powers of u, from a Chebyshev interpolation.
_C0, _C1, _C2, _C3, _C4, _C5 = (
    np.float32(power)
    for power in np.polynomial.Polynomial.cast(
        np.polynomial.Chebyshev.interpolate(lambda u: np.log2(1 + u), 5, domain=[0, 1])
    ).coef
)

_LANES = 4

_BITS = 5
PLACES = 1 << _BITS
"""Of an axis: the buckets and two more."""

# Bytes of a lane: places of one axis, or of both.
LINEAR, BOTH = 4 * PLACES, 4 * PLACES * PLACES


@jit
def linear_places(address, size, left, scale, places):  # type: ignore[no-untyped-def]
    """Of float32, in buckets of equal width, 1 / scale, from `left` on."""
    left, scale = _F(left), _F(scale)
    for i in range(size):
        store_i32(places, i, _I((load_f32(address, i) - left) * scale))


@jit
def linear_places_f64(address, size, left, scale, places):  # type: ignore[no-untyped-def]
    """The same of float64."""
    for i in range(size):
        store_i32(places, i, _I((load_f64(address, i) - left) * scale))


def _with_logarithmic_places(address, size, exponent, part, scale, places):  # type: ignore[no-untyped-def]
    """Of normal float32, in buckets of equal width in log2, 1 / scale, from `exponent + part` on,
    after the first one, which holds the zeros; each joins the linear place that is there already.
    """
    exponent, scale = _I(_I(exponent) + _I(127)), _F(scale)
    constant = _F(_C0 - _F(part))
    for i in range(size):
        absolute = _I(load_i32(address, i) & _I(0x7FFFFFFF))
        whole = _F(_I(_I(absolute >> _I(23)) - exponent))
        u = f32_from_bits(_I(_I(absolute & _I(0x7FFFFF)) | _I(0x3F800000))) - _F(1.0)
        v = u * u
        above = (constant + _C1 * u) + v * ((_C2 + _C3 * u) + v * (_C4 + _C5 * u))
        place = _I(_I((whole + above) * scale) + _I(1))
        place = _I(0) if absolute == _I(0) else place
        store_i32(places, i, _I(_I(load_i32(places, i) << _I(_BITS)) | place))


with_logarithmic_places = partial(jit, reassociate=True)(_with_logarithmic_places)


@jit
def count_places(places, size, lanes, lane):  # type: ignore[no-untyped-def]
    """Count a block's places in four interleaved rows, which hold nothing but zeros at first.

    Args:
        lanes: where the rows are.
        lane: bytes from one to the next: LINEAR, or BOTH where a place is one of each axis.
    """
    whole = size & ~3
    for i in range(0, whole, 4):
        increment_u32(lanes, load_i32(places, i))
        increment_u32(lanes + lane, load_i32(places, i + 1))
        increment_u32(lanes + 2 * lane, load_i32(places, i + 2))
        increment_u32(lanes + 3 * lane, load_i32(places, i + 3))
    for i in range(whole, size):
        increment_u32(lanes, load_i32(places, i))


@jit
def _move(lanes, lane, at):  # type: ignore[no-untyped-def]
    """How often a place was counted, which the lanes then forget."""
    found = _I(0)
    for k in range(_LANES):
        found = _I(found + load_i32(lanes + k * lane, at))
        store_i32(lanes + k * lane, at, _I(0))
    return found


@jit
def _fold(counts):  # type: ignore[no-untyped-def]
    """Put what lies beyond the last bucket into it."""
    for place in range(BUCKETS, PLACES):
        beyond = _I(load_i32(counts, BUCKETS - 1) + load_i32(counts, place))
        store_i32(counts, BUCKETS - 1, beyond)


@jit
def take_linear(lanes, counts):  # type: ignore[no-untyped-def]
    """Move the lanes' counts to int32 [PLACES] at an address, of which the first are BUCKETS."""
    for place in range(PLACES):
        store_i32(counts, place, _move(lanes, LINEAR, place))
    _fold(counts)


@jit
def take_both(lanes, linear, logarithmic):  # type: ignore[no-untyped-def]
    """The same of places that are one of each axis: each gets the sums over the other."""
    for place in range(PLACES):
        store_i32(logarithmic, place, _I(0))
    for place in range(PLACES):
        total = _I(0)
        for other in range(PLACES):
            found = _move(lanes, BOTH, PLACES * place + other)
            total = _I(total + found)
            store_i32(logarithmic, other, _I(load_i32(logarithmic, other) + found))
        store_i32(linear, place, total)
    _fold(linear)
    _fold(logarithmic)
