"""A layer whose weights are far larger at the start than those of all others."""

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.median import known_median
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_with_memory
from layerscope.diagnose.roles import Roles
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_LARGE = 10.0
"""Times the root of 1 / fan_in; Kaiming's are 1.4, and torch's own 0.6."""

_FEWEST = 2
"""Layers that have weights: of one there is no other to compare it with."""

_ADVICE = Advice(
    "the weights of {layer} are {value:.3g} times as large at the start as those that keep a "
    "signal's size (limit {threshold:g}), and ten times those of other layers: its outputs drown "
    "all that is added to them, and its gradients those of the layers before it",
    "weights of variance 1 / fan_in or 2 / fan_in in this layer: torch.nn.init.kaiming_normal_; "
    "see what else scales them, and whether they were loaded from elsewhere",
)


@rule_with_memory("large_weights")
def large_weights(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """RMS of the weights at step 0 times the root of the fan-in, where it is more than ten times
    the median layer's too, or the other's of two: one layer was drawn, or scaled, otherwise than
    the rest.

    Not of the last layer, of which `overconfident_start` tells, of one before a bounded function,
    of which `saturated` does, nor before a normalisation, which divides by it.
    """
    values = np.full((len(figures.steps), len(figures.layers)), np.nan)
    if figures.steps[0] != 0:
        return Symptoms(values)
    roles = memory.roles
    sizes = figures["weight_rms"][0] * np.sqrt(roles.fan_in) * roles.only("trained")
    if (~np.isnan(sizes)).sum() < _FEWEST:
        return Symptoms(values)
    usual = float(known_median(sizes[np.newaxis], axis=1)[0])
    values[0] = sizes * _judged(roles)
    ill = (values > _LARGE) & (values > _LARGE * usual)
    return Symptoms.of_layers(
        values,
        np.where(ill, 2, 0),
        _ADVICE,
        limits=(np.nan, _LARGE, np.nan),
        source="He et al. 2015: a variance of 2 / fan_in keeps the size of a signal",
    )


def _judged(roles: Roles) -> npt.NDArray[np.float64]:
    """1 for the layers that are judged, NaN for those that are only compared with, [layers]."""
    mask = np.ones(len(roles.layers))
    bounded = {facts.order - bool(not facts.weights) for facts in roles.layers if facts.bounds}
    for place, facts in enumerate(roles.layers):
        skipped = place == roles.last or place in roles.feeds_normalization
        if skipped or facts.order in bounded or "Norm" in facts.module or facts.order < 0:
            mask[place] = np.nan
    return mask
