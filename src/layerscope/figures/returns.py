"""What a policy's values of states are drawn to: what is earned."""

import numpy as np

from layerscope.diagnose.measured.figures import Series
from layerscope.record.ends.ends import Ends

_FEWEST_VALUES = 4
"""That differ, of a batch: of a table of states there are few."""

_ROUNDED = 1e-5


def returns_are_zero(ends: Ends) -> dict[str, float]:
    """1 if the values of a state, that a policy gives beside its actions, are drawn to exactly 0 in
    all samples, by a gradient in proportion to them; else 0; nothing of another loss.
    """
    if not ends.of_actions or ends.output is None:
        return {}
    drawn = []
    for values, slopes in (
        (ends.output.values, ends.output.gradient),
        *((each.values.get(), each.gradient.get()) for each in ends.further),
    ):
        if slopes is not None and values.shape == slopes.shape and values.shape[1] == 1:
            drawn.append(_is_in_proportion(values[:, 0].numpy(), slopes[:, 0].numpy()))
    return {"returns_zero": float(any(drawn))} if drawn else {}


def _is_in_proportion(values: Series, slopes: Series) -> bool:
    if len(np.unique(values)) < _FEWEST_VALUES or not (factor := slopes @ values) > 0:
        return False
    off = np.abs(slopes - factor / (values @ values) * values).max()
    return bool(off <= _ROUNDED * np.abs(slopes).max())
