"""Saturated: outputs at the flat ends of their function, where hardly any gradient gets through."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figures import Figures, LayerFacts
from layerscope.diagnose.memory import Memory, Remembered
from layerscope.diagnose.registry import rule_with_memory
from layerscope.diagnose.roles import GATES
from layerscope.diagnose.symptoms import Advice, Symptoms, Values, graded
from layerscope.diagnose.thresholds import Thresholds


def _at_the_start(facts: LayerFacts) -> str:
    if facts.nonlinearity == "softmax":
        return "divide what goes into the softmax by the square root of its length"
    if facts.nonlinearity in ("sigmoid", "hardsigmoid"):
        return "init=xavier, or smaller weights in your own module: weight variance 1 / fan_in"
    return "init=xavier or init=kaiming: weight variance 1 / fan_in or 2 / fan_in, not 1"


_ADVICE = (
    Advice(
        "{value:.1%} of the outputs of {layer} are saturated at the start (limit {threshold:.0%})",
        _at_the_start,
    ),
    Advice(
        "{value:.1%} of the outputs of {layer} are saturated since step {step} "
        "(limit {threshold:.0%})",
        "a smaller optimizer.lr, or a larger optimizer.weight_decay, which keeps weights small",
    ),
)


@rule_with_memory("saturated")
def saturated(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of outputs where the function's own derivative is small.

    The last layer is free to decide: a solved task has outputs near 0 and 1. A gate (sigmoid,
    softmax) learns to shut, so it is ill only if it has been shut in every step since the first;
    what it learns later is a note. Of a softmax over n the figure is the share of samples with one
    output near 1, less 1 / n: the first token of a causal sequence has nothing else to look at.
    """
    t = thresholds
    roles = memory.roles
    values = figures["saturated"] * roles.only("function")
    if softmax := roles.named("softmax"):
        mean = figures["activation_mean"][:, softmax]  # 1 / n, since its outputs sum to 1
        values[:, softmax] = values[:, softmax] / mean - mean
    limits = (t.saturated_healthy, t.saturated_bad, t.saturated_critical)
    severity = graded(values, limits)
    gates = roles.named(*GATES)
    if gates:
        shut = _shut_ever_since(values[:, gates], t.saturated_bad, memory.of_layers("open"), gates)
        if severity is not None:
            severity[:, gates] = np.where(
                shut, severity[:, gates], np.minimum(severity[:, gates], 1)
            )
    cause = None
    if severity is not None:
        cause = np.broadcast_to(figures.steps[:, np.newaxis] > 0, values.shape).astype(np.int8)
    return Symptoms(
        values,
        severity,
        limits,
        _ADVICE,
        "the course, day 11, part II: saturated < 5% is healthy, > 20% bad",
        t.lasting,
        cause,
    )


def _shut_ever_since(
    values: Values, limit: float, opened: Remembered, gates: list[int]
) -> npt.NDArray[np.bool_]:
    """Whether a gate has been beyond the limit in every step up to each, bool [steps, gates]."""
    shut: npt.NDArray[np.bool_] = np.logical_and.accumulate(~(values <= limit), axis=0) & np.isnan(
        opened[0, gates]
    )
    opened[0, gates] = np.where(shut[-1], np.nan, 1)
    return shut
