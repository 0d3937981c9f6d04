"""The targets of an error of what a function of the training loop makes of the output."""

from collections.abc import Sequence

import numpy as np

from layerscope.diagnose.losses.error_beside import beyond, targets_among
from layerscope.diagnose.losses.loss_kind import Matrix
from layerscope.diagnose.losses.loss_through_function import before_function
from layerscope.diagnose.measured.last_function import LastFunction
from layerscope.record.graph.function_in_loss import AppliedFunction

_ENOUGH = 8
"""Targets: the spread of fewer is chance."""


def beyond_function(
    applied: AppliedFunction,
    values: Matrix,
    gradient: Matrix,
    samples: int,
    loss: float,
    data: Sequence[Matrix],
) -> dict[str, float]:
    """How far these targets lie beyond what the function gives, and its range; nothing where they
    are not known: the loss is no mean squared error of it alone, and none of the data are targets.

    Args:
        values, gradient: of some samples of the output, [n, outputs].
        samples: how many there are in all.
        loss: NaN if it is unknown.
        data: what the network got, of the same samples.
    """
    elements = samples * values.shape[1]
    if applied.elements != elements:
        return {}
    made, slope, known = before_function(applied.name, values, gradient)
    if applied.in_mean_square and not applied.has_factor:
        targets = (made - slope * elements / 2)[known]
    elif applied.in_mean_square and known.all() and values.size == elements and loss > 0:
        # Of k mean (z - y)^2 the squares of its slopes add up to 4 k loss / elements.
        factor = float(np.square(slope).sum()) * elements / (4 * loss)
        targets = (made - slope * elements / (2 * factor))[known]
    else:
        own = [each[known][:, None] for each in data if each.shape == values.shape]
        found = targets_among(made[known][:, None], slope[known][:, None], own)
        if found is None:
            return {}
        targets = found
    if targets.size < _ENOUGH:
        return {}
    low, high = LastFunction[applied.name.upper()].range
    return {"output_low": low, "output_high": high, "target_beyond": beyond(targets, low, high)}
