"""How to ask for a larger learning rate: by how much, and for which layers."""

import math
from typing import NamedTuple

import numpy as np

from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.memory import Memory

_TENFOLD = 10 * (1 - 1e-6)
_NEW = 4
"""Of the figure `untrained`."""


class LargerRate(NamedTuple):
    """Words.

    Attributes:
        larger, much_larger: remedies.
        because: to stand behind an explanation; "" where there is no more to say.
    """

    larger: str
    much_larger: str
    because: str


def larger_rate(figures: Figures, memory: Memory) -> LargerRate:
    """Ten times, or a hundred; or the rate that torch's optimizer of this class has if none is
    asked for, where that is as much larger than the run's largest so far: Adadelta's is 1, and
    Adam's 0.001 (Zeiler 2012; Kingma and Ba 2015).

    For the last layer alone, where that is new, the others are not, and all have one rate: a rate
    that does no harm to what was learned before is too small for what was not (Howard and Ruder
    2018, ULMFiT, section 3.2).
    """
    default = float(memory.known("default", figures["rate_default"])[-1])
    rate = float(memory.highest("rate", figures["learning_rate"])[-1])
    times = default / rate if rate > 0 else math.nan
    larger = "optimizer.lr=... ten times what it is"
    much_larger = "optimizer.lr=... a hundred times what it is"
    if times >= _TENFOLD:
        larger = (
            f"optimizer.lr=... {times:.0f} times larger: {default:g} is what this optimizer has if "
            "none is asked for"
        )
    if times >= 10 * _TENFOLD:
        much_larger = larger
    head = _new_head(figures, memory)
    if not head:
        return LargerRate(larger, much_larger, "")
    its_own = f"{default:g}, say" if times >= _TENFOLD else "ten times that of the others"
    alone = f"a larger optimizer.lr for {head} alone, in a parameter group of its own: {its_own}"
    return LargerRate(
        f"{alone}; else, for all, {larger}",
        f"{alone}; else, for all, {much_larger}",
        f"; {head}, the last layer, looks as just drawn, and those before it do not",
    )


def _new_head(figures: Figures, memory: Memory) -> str:
    new, shares = memory.of_layers("new")[0], memory.of_layers("rate_shares")[0]
    np.fmax(new, (figures["untrained"] == _NEW).max(axis=0), out=new)
    np.fmin(shares, np.fmin.reduce(figures["rate_share"], axis=0), out=shares)
    if (shares < 1).any() or not (new == 1).any():
        return ""
    name = memory.roles.layers[int(np.flatnonzero(new == 1)[0])].name
    return name.replace("{", "{{").replace("}", "}}")
