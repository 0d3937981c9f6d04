"""What a row has beside its bins, on the CPU and in plain torch."""

import math
from enum import IntEnum


class Sums(IntEnum):
    """Columns of a table's sums, float64; SUM and SQUARES are of x - SHIFT."""

    SHIFT = 0
    SUM = 1
    SQUARES = 2
    ABSOLUTE = 3
    MINIMUM = 4
    MAXIMUM = 5
    LOW = 6
    HIGH = 7


class Tallies(IntEnum):
    """Columns of a table's tallies, int64.

    NEAR and FAR: bins between zero and the finite value nearest to it, farthest from it. LEFT_OUT:
    finite elements, zeros apart, that a sample left out of the bins.
    """

    COUNT = 0
    ZEROS = 1
    NAN = 2
    POSITIVE_INF = 3
    NEGATIVE_INF = 4
    OUTSIDE = 5
    NEAR = 6
    FAR = 7
    LEFT_OUT = 8


FIELDS = 16
"""Of each, from one row to the next."""

UNBOUNDED = (-math.inf, math.inf)
"""Of a row that counts nothing as outside."""
