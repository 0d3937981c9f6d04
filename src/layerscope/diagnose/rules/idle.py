"""Idle: outputs of an activation function that are all but the same, and pass nothing on."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Flags
from layerscope.diagnose.measured.last_known import note_first
from layerscope.diagnose.rules.biased import of_few_units
from layerscope.diagnose.symptoms import graded

_DRAWN = 0.1
"""By which the variance of some hundred weights may differ from what they were drawn with."""

_ADVICE = (
    Advice(
        "the outputs of {layer} have a spread of {value:.2g} (limit {threshold:g}): "
        "it passes nothing on",
        "init=kaiming or init=orthogonal: weight variance 2 / fan_in or 1 / fan_in, not less",
    ),
    Advice(
        "the outputs of {layer} have a spread of {value:.2g} (limit {threshold:g}), though its "
        "weights began with a variance of 1 / fan_in or more: it passes nothing on",
        "look at what it gets: inputs that are next to nothing, which want scaling, a factor near "
        "0, or layers before it that pass nothing on; larger weights are not what is missing",
    ),
)


@rule_with_memory("idle")
def idle(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Standard deviation of a function's outputs: too small, or (critical) none at all."""
    roles = memory.roles
    limits = (np.nan, thresholds.idle_std, 0.0)
    sizes = memory.of_layers("sizes")[0]
    before = ~np.isnan(sizes)
    note_first(figures["weight_rms"], sizes)
    sized = np.logical_or.accumulate(~np.isnan(figures["weight_rms"]), axis=0) | before
    usual = sized & (np.square(sizes) * roles.fan_in >= 1 - _DRAWN)
    values = figures["activation_std"] * roles.only("spreads")
    values[figures["activation_nonfinite"] > 0] = np.nan  # of those that are left it says nothing
    values[:, _behind_zeros(figures, memory)] = np.nan
    severity = graded(values, (np.nan, thresholds.idle_std, np.nan), falling=True)
    if severity is not None:
        severity[of_few_units(figures)] = 0
        severity[values == 0] = 3
        dead = (figures["dead_units"] >= 0) & (figures["zeros"] == 1) & (roles.only("can_die") == 1)
        severity[dead] = 0
        for layer in np.flatnonzero((severity == 2).any(axis=0)).tolist():
            if roles.layers[layer].bounds is None and roles.normalized_later(layer):
                severity[severity[:, layer] == 2, layer] = 0
    return Symptoms.of_layers(
        values,
        severity,
        *_ADVICE,
        limits=limits,
        source="the course, day 11, part II: activations clustered at zero",
        lasting=thresholds.lasting,
        cause=usual,
        falling=True,
    )


def _behind_zeros(figures: Figures, memory: Memory) -> Flags:
    """Whether the layer right before each has begun with weights of 0, [layers]."""
    behind = memory.of_layers("behind_zeros")[0]
    if figures.steps[0] == 0:
        layers = memory.roles.layers
        zero = {layers[i].order for i in np.flatnonzero(figures["weight_rms"][0] == 0)} - {-1}
        behind[:] = [each.order - 1 in zero for each in layers]
    is_behind: Flags = behind == 1
    return is_behind
