"""A learning rate that rises and begins anew at its least, again and again."""

import math

import numpy as np

from layerscope.diagnose.figures import Flags, Series, Steps
from layerscope.diagnose.memory import Memory

_TIMES = 3
"""That it has begun anew: a training may be begun again once or twice."""

_RISE = 10.0
"""From its least to where it falls: rates that are meant to go up and down do so by three or four
(Smith 2017)."""

_SAME = 1e-3
"""Relative: the rates are of float32."""

_FEWEST = 2
"""Steps that it rises for, each time."""


def begins_anew(rates: Series, steps: Steps, memory: Memory) -> Flags:
    """Whether the rate has done nothing but rise from its first value, in each step, and fall back
    to that in a single one, three times at least, [steps]; once that is so it stays so.

    A cosine with warm restarts begins at its top, a cyclic rate falls as it has risen, and a
    warm-up that ends stays where it is. What has once changed otherwise is not followed any more,
    nor is a rate some of whose steps were not measured.

    Args:
        rates: [steps], NaN where there is none.
        steps: their numbers.
    """
    known = memory.of_run("sawtooth", 5)  # least, last rate, its step, rises since, times or -1
    found = np.zeros(len(rates), bool)
    for row, rate in enumerate(rates.tolist()):
        least, before, step, rises, times = known.tolist()
        if times < 0 or times >= _TIMES:
            found[row:] = times > 0
            break
        if math.isnan(least):
            known[:] = rate, rate, steps[row], 0, 0
            continue
        known[1:3] = rate, steps[row]
        if steps[row] != step + 1:
            known[4] = -1
        elif rate > before:
            known[3] = rises + 1
        elif rises >= _FEWEST and before >= _RISE * least and abs(rate - least) <= _SAME * least:
            known[3:] = 0, times + 1
        else:
            known[4] = -1
        found[row] = known[4] >= _TIMES
    return found
