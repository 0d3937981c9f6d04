"""What several looks in a row have to agree on, as one of them may be chance."""

import numpy as np

from layerscope.diagnose.measured.figures import Flags, Series, Values
from layerscope.diagnose.measured.last_known import last_known

LOOKS = 3
"""In a row: what they see is exact, one odd batch apart."""


def in_each_look(values: Values, last: Series) -> Flags:
    """Whether it was so in each of the last LOOKS looks, [steps].

    Args:
        values: 1 if so, 0 if not, NaN in steps without a look.
        last: whether it was so before, then the looks before; afterwards, of this block.
    """
    in_each = np.full(len(values), np.nan)
    for row in np.flatnonzero(~np.isnan(values)).tolist():
        last[1:] = [*last[2:], values[row]]
        in_each[row] = (last[1:] == 1).all()
    return last_known(in_each, last[:1]) == 1
