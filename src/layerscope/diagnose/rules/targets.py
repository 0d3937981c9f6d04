"""Targets that the output cannot reach, or that are far larger than what a network gives."""

from __future__ import annotations

import numpy as np

from layerscope.diagnose.figures import Figures, LayerFacts
from layerscope.diagnose.last_function import LastFunction
from layerscope.diagnose.loss_kind import Loss
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.symptoms import Advice, Symptoms, Values
from layerscope.diagnose.thresholds import Thresholds

_ERRORS = (Loss.SQUARED_ERROR, Loss.ABSOLUTE_ERROR)
_BEYOND = 0.05
"""Of the targets' spread: labels smoothed to 0 and 1 are within."""


@rule_of_run("target_out_of_range")
def target_out_of_range(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """How far targets lie beyond the range of the last layer's function, in their own spread; for
    a binary cross-entropy beyond 0 to 1.

    The function is the one that autograd knows the output to come from, or the last module's where
    autograd has no name for it (Hardtanh). Blind to one that is undone by what follows it.
    """
    if np.isnan(figures["loss_kind"]).all():  # nobody looked
        return Symptoms.of_run("output", figures["loss_kind"])
    kind = figures["loss_kind"]
    low, high = _range(figures, memory)
    binary = (kind == Loss.BINARY) | (kind == Loss.BINARY_LOGITS)
    error = np.isin(kind, _ERRORS)
    lows = np.where(binary, 0.0, np.where(error, low, -np.inf))
    highs = np.where(binary, 1.0, np.where(error, high, np.inf))
    spread = np.fmax(figures["target_std"], 1e-6)
    below = (lows - figures["target_min"]) / spread
    above = (figures["target_max"] - highs) / spread
    values = np.fmax(np.fmax(below, above), 0.0).astype(np.float64)
    values[~(binary | error)] = np.nan
    ill = values > _BEYOND
    return Symptoms.of_run(
        "output",
        values,
        np.where(ill, 2, 0).astype(np.int8),
        Advice(
            "targets lie beyond what the output can be, by {value:.2g} of their standard "
            "deviation: its last function has its end before",
            "for a regression, no function after the last layer (or targets scaled into its "
            "range); for more than two classes, an output each and cross_entropy",
        ),
        Advice(
            "a binary cross-entropy gets targets that are not between 0 and 1",
            "for more than two classes, an output each and cross_entropy; for two, labels 0 and 1",
        ),
        limits=(np.nan, _BEYOND, np.nan),
        source="the range of the function; torch.nn.BCELoss: targets between 0 and 1",
        lasting=3,
        cause=np.where(binary, 1, 0).astype(np.int8),
    )


def _range(figures: Figures, memory: Memory) -> tuple[Values, Values]:
    """Of the outputs, in each step."""
    written = figures["output_function"]
    ends = [LastFunction(int(code)).range if code > 0 else (-np.inf, np.inf) for code in written]
    low, high = np.array(ends, np.float64).reshape(-1, 2).T
    if memory.roles.last < 0:
        return low, high
    facts: LayerFacts = memory.roles.layers[memory.roles.last]
    if facts.bounds is None or (facts.nonlinearity or "").upper() in LastFunction.__members__:
        return low, high
    return np.fmax(low, facts.bounds[0]), np.fmin(high, facts.bounds[1])


@rule_of_run("target_scale")
def target_scale(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Root mean square of the targets of a squared or absolute error.

    A network begins with outputs of about 1. The gradient of a squared error goes with the error,
    and an absolute error is walked down at the pace of the learning rate.
    """
    if np.isnan(figures["target_rms"]).all():  # nobody looked
        return Symptoms.of_run("output", figures["target_rms"])
    t = thresholds
    values = figures["target_rms"].astype(np.float64)
    values[~np.isin(figures["loss_kind"], _ERRORS)] = np.nan
    severity = np.where(values > t.target_huge, 2, np.where(values > t.target_large, 1, 0))
    return Symptoms.of_run(
        "output",
        values,
        severity.astype(np.int8),
        Advice(
            "the targets have a root mean square of {value:.3g} (limit {threshold:g}), where a "
            "network begins with outputs of about 1",
            "scale the targets: subtract their mean and divide by their standard deviation over "
            "the training data, and scale the outputs back",
        ),
        limits=(t.target_large, t.target_huge, np.nan),
        source="LeCun et al. 1998, Efficient BackProp, section 4.5, on the targets' scale",
        lasting=3,
    )
