"""Biased: outputs of an odd function that are not centred, and push the next layer to one side."""

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_with_memory
from layerscope.diagnose.symptoms import Symptoms
from layerscope.diagnose.thresholds import Thresholds


@rule_with_memory("biased")
def biased(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """|mean| / standard deviation of the outputs of an odd activation function."""
    mean = np.abs(figures["activation_mean"] * memory.roles.only("odd"))
    values = mean / figures["activation_std"]
    if not (values > thresholds.biased_mean).any():
        return Symptoms(values)
    values[values == np.inf] = np.nan  # no spread: idle
    return Symptoms.above(
        values,
        note=thresholds.biased_mean,
        warning=thresholds.biased_bad,
        explanation="the outputs of {layer} have a mean of {value:.2g} standard deviations "
        "(limit {threshold:g})",
        remedy="init.bias_std=0, and inputs with a mean of 0; or a normalisation before it",
        source="the course, day 11, part II: mean about 0; LeCun et al. 1998, section 4.3",
        lasting=thresholds.lasting,
    )
