"""Which steps are measured: functions step -> bool."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], bool]

KEYFRAMES = 50
"""TensorBoard serves a tag of at most 51 steps whole, and 51 random steps of a longer one."""


def every_n_steps(n: int) -> Schedule:
    """Step 0, n, 2n, ...

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"every_n_steps must be at least 1, got {n}")
    return lambda step: step % n == 0


def is_keyframe(step: int) -> bool:
    """Two steps an octave: 0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, ... up to 50 of them.

    They stay as dense at the start, where networks break, however long the run becomes; the last
    of the 50 is step 23,726,566.
    """
    if step < 4:
        return step >= 0
    half_octaves = round(2 * math.log2(step))
    return step == round(2 ** (half_octaves / 2)) and half_octaves < KEYFRAMES
