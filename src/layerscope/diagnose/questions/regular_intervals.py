"""Whether gradients are large at regular intervals, as those of a penalty that comes seldom."""

from collections.abc import Container

import numpy as np

from layerscope.diagnose.measured.figures import Flags, Series, Steps, Values
from layerscope.diagnose.memory import Memory

RECENT = 50
"""Steps before one that it is compared with."""

_FIRST = 5
"""Steps that every run begins with."""

_LONGEST = 24
"""Interval: of the 50 steps before, two are then as far apart."""

_NINE_TENTHS, _MOST = 90, 0.75
"""Percentile of the steps between that most of those of an interval are above, if they are three or
more. By chance that is so of some interval in 3 to 4 of a hundred runs, in which norms scatter by a
third or by three times."""


def at_an_interval(
    norms: Values, steps: Steps, spikes: Container[int], factor: float, memory: Memory
) -> Flags:
    """Whether a step that is a spike comes at an interval at which gradients were large before, and
    is not `factor` times what these were, bool [steps].
    """
    before, numbers = memory.of_run("norms", RECENT), memory.of_run("steps", RECENT)
    known = np.isfinite(norms) & (norms > 0)
    joined = np.concatenate([before, norms[known]])
    places = np.concatenate([numbers, steps[known]])
    regular = np.zeros(len(norms), bool)
    for place, row in enumerate(np.flatnonzero(known).tolist()):
        if row in spikes:
            window = slice(place, place + RECENT)
            counts = places[window] >= _FIRST
            ago, sizes = steps[row] - places[window][counts], joined[window][counts]
            intervals = range(2, _LONGEST + 1)
            regular[row] = any(
                _is_interval(each, ago, sizes, steps[row], norms[row] / factor)
                for each in intervals
            )
    before[:], numbers[:] = joined[-RECENT:], places[-RECENT:]
    return regular


def _is_interval(interval: int, ago: Series, norms: Series, step: int, least: float) -> bool:
    """Whether the steps that lie one, two and more such intervals back have larger gradients than
    those between: two of them than all, and most of more than nine tenths. The first step of the
    run counts as one of them, whatever it has. Half of them have `least` or more.
    """
    at, between = norms[ago % interval == 0], norms[ago % interval != 0]
    if len(at) + (2 * interval == step) < 2 or not len(between):
        return False
    if np.median(at) < least:
        return False
    if len(at) < 3:
        return bool(at.min() > between.max())
    return bool((at > np.percentile(between, _NINE_TENTHS)).mean() >= _MOST)
