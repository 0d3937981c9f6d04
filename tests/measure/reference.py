"""What a row holds, told element by element: the slow, obvious way, which kernels are held to."""

from typing import NamedTuple

import numpy as np

from layerscope.measure import Moments
from layerscope.measure.bins import BINS, LOWEST_EXPONENT, MAGNITUDES, MANTISSA_BITS, ZERO
from layerscope.measure.moments import MOMENTS
from layerscope.measure.reading import Reading
from layerscope.measure.row_state import UNCOUNTED


def bin_of(values):
    """The bin of each finite value, from its logarithm."""
    x = np.asarray(values, np.float64)
    mantissa, exponent = np.frexp(np.abs(x))  # |x| = mantissa * 2**exponent, mantissa in [0.5, 1)
    octave = exponent.astype(np.int64) - 1 - LOWEST_EXPONENT
    part = ((2 * mantissa - 1) * (1 << MANTISSA_BITS)).astype(np.int64)
    magnitude = np.clip((octave << MANTISSA_BITS) + part, 0, MAGNITUDES - 1)
    return ZERO + np.where(x == 0, 0, np.sign(x).astype(np.int64) * (magnitude + 1))


class Held(NamedTuple):
    """A row of a tally: the bins in use, the elements in each, and what stands beside them."""

    bins: np.ndarray
    counts: np.ndarray
    moments: Moments
    left_out: int


def held(tally, row=0):
    """What a row holds now; it keeps it."""
    state = tally.state(row + 1)[row].cpu().numpy()
    counts = tally.bins[row, :BINS].cpu().numpy()
    bins = np.flatnonzero(counts)
    moments = Reading(state[None, :MOMENTS], np.empty(0), np.empty(0)).moments_of(0)
    assert counts.sum() + state[UNCOUNTED] == moments.finite  # each element once
    return Held(bins, counts[bins], moments, int(state[UNCOUNTED]))
