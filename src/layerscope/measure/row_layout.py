"""What a row has beside its bins, on the CPU and in plain torch: offsets, in elements."""

from __future__ import annotations

import math

# Sums, float64.
SHIFT, SUM, SQUARES, ABSOLUTE, MINIMUM, MAXIMUM, LOW, HIGH = range(8)
# Tallies, int64. NEAR and FAR: bins between zero and the finite value nearest to it, farthest from.
# LEFT_OUT: finite elements, zeros apart, that a sample left out of the bins.
COUNT, ZEROS, NAN, POSITIVE_INF, NEGATIVE_INF, OUTSIDE, NEAR, FAR, LEFT_OUT = range(9)
FIELDS = 16

UNBOUNDED = (-math.inf, math.inf)
"""Of a row that counts nothing as outside."""
