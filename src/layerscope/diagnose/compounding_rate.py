"""A learning rate that is multiplied by a power of a factor again and again."""

import math

import numpy as np

from layerscope.diagnose.figures import Flags, Series
from layerscope.diagnose.memory import Memory

_CHANGES = 4
"""That fit after the first two, which fit always or by chance."""

_WHOLE = 0.02
"""How far from a whole number an exponent may be: the rates are of float32."""


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
