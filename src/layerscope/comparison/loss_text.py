"""A loss as text."""

import math

from layerscope.console.plain_table import NOTHING, short_exponent


def loss_text(loss: float, sign: bool = False) -> str:
    """Four digits after the point; four in all where training blew up, three where it flew away.

    >>> loss_text(2.20467), loss_text(-0.00001), loss_text(2104.286), loss_text(0.25, sign=True)
    ('2.2047', '0.0000', '2104', '+0.2500')
    >>> loss_text(17070.0), loss_text(1.3e12, sign=True)
    ('1.71e4', '+1.3e12')
    """
    if math.isnan(loss):
        return NOTHING
    if math.isinf(loss):
        return "not finite"
    plus = "+" if sign else ""
    if abs(loss) >= 10_000:
        return short_exponent(f"{loss:{plus}.3g}")
    if abs(loss) >= 100:
        return f"{loss:{plus}.4g}"
    return f"{round(loss, 4) + 0.0:{plus}.4f}"  # without a minus zero
