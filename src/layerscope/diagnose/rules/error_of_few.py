"""A squared error nearly all of which a few targets make, or the mean of all."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.last_function import LastFunction

_TAIL = 0.75
"""Of a thousand normal numbers one percent have 0.08 of the squares, of exponential ones 0.22, of
log-normal ones with a deviation of 1 about 0.44, and of 2 0.86."""

_NEARLY_ALL = 0.9
_TIMES = 2


@rule_of_run("target_tail", looks_at="target_tail")
def target_tail(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """Share of the targets' squared deviations that the farthest one percent of them have."""
    return Symptoms.of_run_above(
        "output",
        figures["target_tail"].astype(np.float64),
        Advice(
            "one percent of the targets make up {value:.0%} of the squared error at the start "
            "(limit {threshold:.0%}): the targets have a long tail, and the network learns from "
            "few samples",
            "the logarithm of the targets as targets, torch.log1p of counts and prices, then "
            "scaled, and torch.expm1 to take outputs back; where targets have both signs, their "
            "rank, or a Huber loss; clipping the gradient does not help",
        ),
        note=_TAIL,
        source="Huber 1964, Robust Estimation of a Location Parameter; Box and Cox 1964, An "
        "Analysis of Transformations",
        lasting=3,
    )


@rule_of_run("offset_missing", looks_at="error_mean")
def offset_missing(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """(mean error)^2 / squared error, of an output whose last layer has no bias: what one number
    added to all outputs would take away.
    """
    last = memory.roles.layers[memory.roles.last] if memory.roles.last >= 0 else None
    values = figures["error_mean"].astype(np.float64)
    if last is None or not last.without_bias:
        return Symptoms.of_run("output", values)
    free = figures["output_function"] == LastFunction.LINEAR
    late = memory.loss_curve.of(figures).known >= _TIMES * thresholds.patience
    return Symptoms.of_run_above(
        "output",
        np.where(free & late, values, np.nan),
        Advice(
            "{value:.0%} of the squared error would go if one number were added to all outputs: "
            "the last layer has no bias, and the targets' mean is not 0",
            "bias=True in the last layer; or subtract the targets' mean from them",
        ),
        warning=_NEARLY_ALL,
        source="the mean square is the variance and the square of the mean",
        lasting=3,
    )
