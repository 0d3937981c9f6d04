"""Where the programs of a launch keep their sums: each in a place of its own, read in one order."""

from __future__ import annotations

import triton.language as tl

PROGRAMS = 512
"""Programs that share a tensor at most: some four a multiprocessor, and as many partial sums."""

# A program's place, float64 [rows, PARTIALS, PROGRAMS]; tallies are whole numbers.
SUM = tl.constexpr(0)
SQUARES = tl.constexpr(1)
ABSOLUTE = tl.constexpr(2)
MINIMUM = tl.constexpr(3)
MAXIMUM = tl.constexpr(4)
NAN = tl.constexpr(5)
POSITIVE_INF = tl.constexpr(6)
NEGATIVE_INF = tl.constexpr(7)
OUTSIDE = tl.constexpr(8)
NEAR = tl.constexpr(9)
PARTIALS = tl.constexpr(10)
