"""Overconfident start: before it has learned anything, a network should not be sure of anything."""

from __future__ import annotations

from math import log

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_with_memory
from layerscope.diagnose.symptoms import Symptoms
from layerscope.diagnose.thresholds import Thresholds


@rule_with_memory("overconfident_start")
def overconfident_start(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Loss at step 0 / ln(classes), what uniform guessing costs.

    Silent unless the judge was told of how many classes the loss is.
    """
    values = np.full((len(figures.steps), len(figures.layers)), np.nan, np.float32)
    roles = memory.roles
    if roles.classes is None or figures.steps[0] != 0 or roles.last < 0:
        return Symptoms(values)
    values[0, roles.last] = figures["loss"][0] / log(roles.classes)
    return Symptoms.above(
        values,
        warning=thresholds.overconfident_start,
        explanation="the loss at step 0 is {value:.2g} times that of uniform guessing "
        "(limit {threshold:g}): {layer} starts too sure of itself",
        remedy="smaller weights in the last layer, as in init=kaiming, and no bias there",
        source="Karpathy, nn-zero-to-hero, lecture 3: a loss of 27 where ln(27) = 3.3 was due",
    )
