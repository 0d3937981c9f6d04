"""Which steps are measured: functions step -> bool."""

import math
from collections.abc import Callable

from layerscope.arguments import at_least

Schedule = Callable[[int], bool]

KEYFRAMES = 50
"""TensorBoard serves a tag of at most 51 steps whole, and 51 random steps of a longer one."""


def every_n_steps(n: int) -> Schedule:
    """Step 0, n, 2n, ...

    Raises:
        ValueError: n is below 1.
    """
    at_least(1, every_n_steps=n)
    return lambda step: step % n == 0


def log_spaced(per_octave: int = 2) -> Schedule:
    """So many steps an octave: with 2, steps 0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 32, ...

    As dense at the start, where networks break, as can be, however long the run becomes.

    Raises:
        ValueError: per_octave is below 1.
    """
    at_least(1, per_octave=per_octave)

    def due(step: int) -> bool:
        if step < 2:
            return step >= 0
        part = round(per_octave * math.log2(step))
        return any(step == round(2 ** (near / per_octave)) for near in (part - 1, part, part + 1))

    return due


def thinned_to(most: int, steps: float) -> tuple[int, Schedule]:
    """A schedule of at most `most` of a run's steps, thinned later steps first.

    Every step up to some step w, every 2nd up to 2 w, every 4th up to 4 w, and so on; the powers of
    two, at most 41, stay in any case. A run whose length is unknown may be short, and may have no
    end: w is two thirds of `most`, and every 4th step follows up to 2 w, every 16th up to 4 w, and
    so on; from about w**2 on none.

    Args:
        most: steps that may be measured, at least 1.
        steps: steps of the run; infinity if unknown.

    Returns:
        w, and the schedule.
    """
    at_least(1, most=most)
    if steps <= most:
        return math.ceil(steps), every_n_steps(1)
    first = max(most, 2)
    if endless := math.isinf(steps):
        # w (1 + 1/4 + 1/8 + ...) steps, and at most one more in each octave that has any.
        first = max(2 * (most - first.bit_length()) // 3, 2)
    while not endless and first > 2:
        octaves = math.ceil(math.log2(steps / first))
        if first * (1 + octaves / 2) <= most:
            break
        first -= max(1, first // 64)
    bits = 2 if endless else 1

    def due(step: int) -> bool:
        return step % (1 << bits * (step // first).bit_length()) == 0

    return first, due


_KEYFRAMES = frozenset(
    sorted({0, 1, *(round(2 ** (half_octave / 2)) for half_octave in range(2, 64))})[:KEYFRAMES]
)


is_keyframe: Schedule = _KEYFRAMES.__contains__
"""Whether it is one of the first 50 steps of `log_spaced(2)`, of which the last is 23,726,566. It
is asked six times a step, and so is no function of Python.
"""


def keyframes_before(steps: float) -> list[int]:
    """Those of the first so many steps."""
    return sorted(step for step in _KEYFRAMES if step < steps)
