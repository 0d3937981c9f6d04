"""How far a step moves a layer's weights, against their size."""

from functools import lru_cache

import numpy as np

from layerscope.diagnose.figures import Figures, Values
from layerscope.diagnose.roles import Roles


@lru_cache(maxsize=1)  # of three rules
def update_ratio(figures: Figures, roles: Roles) -> Values:
    """log10 RMS(update) / RMS(weight), [steps, layers]; -inf for no update, NaN where it was not
    measured or weights are all zero.
    """
    values: Values = np.log10(figures["update_to_weight"] * roles.only("trained"))
    values.flags.writeable = False
    return values
