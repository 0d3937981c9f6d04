"""The shape of a learning rate over the steps: powers, a sawtooth, a straight warm-up."""

import math

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Flags, Series, Steps, Values
from layerscope.diagnose.memory import Memory

_CHANGES = 4
"""That fit after the first two, which fit always or by chance."""

_WHOLE = 0.02
"""How far from a whole number an exponent may be: the rates are of float32."""

_STRAIGHT = 0.1
"""How far one step of a straight warm-up may be from the mean of all, relative to it."""


def compounds(rates: Series, memory: Memory) -> Flags:
    """Whether every change of the rate has been by the next higher power of one factor, as by
    `lr *= factor ** epoch`, [steps]; once that is so it stays so.

    `lr = first * factor ** epoch` changes by the same factor each time, and a cosine that begins at
    its top by its powers of 1, 3, 5. What has once changed otherwise is not followed any more.

    Args:
        rates: [steps], NaN where there is none.
    """
    known = memory.of_run("compounds", 4)  # last rate, its last change, exponent, changes that fit
    found = np.zeros(len(rates), bool)
    for step, rate in enumerate(rates.tolist()):
        before, change, exponent, fitting = known.tolist()
        if fitting < 0 or fitting >= _CHANGES:
            found[step:] = fitting > 0
            break
        if rate > 0 and rate != before:
            known[0] = rate
            known[1:] = _after(math.log(rate / before), change, exponent, fitting)
        found[step] = known[3] >= _CHANGES
    return found


def _after(
    now: float, change: float, exponent: float, fitting: float
) -> tuple[float, float, float]:
    """The last change, its exponent, and how many fit: below 0 if it does not."""
    if math.isnan(change):  # of the first rate, and of the first that differs
        return now, math.nan, 0.0
    factor = now - change  # its logarithm, if exponents go up by one
    if not factor < 0:
        return now, math.nan, -1.0
    power = now / factor
    is_next = math.isnan(exponent) or round(power) == exponent + 1
    if abs(power - round(power)) > _WHOLE or not is_next:
        return now, math.nan, -1.0
    return now, float(round(power)), fitting + 1


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


_LONG = 4
"""Times the usual patience."""


def never_rises(rates: Series, known: Steps, patience: int, memory: Memory) -> Flags:
    """Whether the rate has never risen so far, for long enough, [steps]. A warm-up that is stepped
    once an epoch stays where it begins for an epoch, and then rises.

    Args:
        rates: [steps].
        known: how many losses there have been so far, [steps].
        patience: steps that it takes to judge whether a loss falls.
    """
    before = memory.of_run("last_rate")
    change = np.diff(rates, prepend=before)
    before[0] = rates[-1]
    risen, fallen = memory.ever("risen", change > 0), memory.ever("fallen", change < 0)
    return ~risen & np.where(fallen, known >= patience, known >= _LONG * patience)


def at_the_end(figures: Figures, rates: Values, asked: Values, memory: Memory) -> Values:
    """Learning rate at the training's last step / the one asked for, as of each step, if it goes on
    to rise as it has; NaN where it does not rise by the same in each step, [steps].
    """
    planned = memory.known("planned", figures["planned_steps"])
    first = memory.of_run("warm", 4)  # the first rate and its step, and the last ones
    steps = figures.steps.astype(np.float64)
    before, at = np.append(first[2], rates)[:-1], np.append(first[3], steps)[:-1]
    if np.isnan(first[0]):
        first[:2] = rates[0], steps[0]
    first[2:] = rates[-1], steps[-1]
    mean = (rates - first[0]) / np.where(steps > first[1], steps - first[1], np.nan)
    now = (rates - before) / np.where(steps > at, steps - at, np.nan)
    straight = (mean > 0) & (np.abs(now - mean) <= _STRAIGHT * mean)
    at_last = rates + mean * np.maximum(planned - 1 - steps, 0)
    return np.where(straight, at_last / asked, np.nan)
