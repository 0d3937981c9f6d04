"""Biased: outputs of an odd function that are not centred, and push the next layer to one side."""

import numpy as np

from layerscope.diagnose import Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Flags
from layerscope.diagnose.measured.layer_facts import LayerFacts

FEW_UNITS = 8
"""Fewer are biased by chance: the mean of eight draws is two of their standard deviations away from
0 once in a thousand times (Student's t, 7 degrees of freedom), that of four in 26."""


def of_few_units(figures: Figures) -> Flags:
    """Where outputs are of few units, [steps, layers]: one, where they have one axis, of which no
    units are told.
    """
    units = figures["units"]
    few: Flags = np.isnan(units) if not np.isnan(units).all() else np.zeros(units.shape, bool)
    return few | (units < FEW_UNITS)


def _centred(facts: LayerFacts) -> str:
    if facts.normalizes:  # right before it
        return "biases of 0 in the normalisation before it, and a smaller optimizer.lr if they grow"
    return "init.bias_std=0, weights and inputs with a mean of 0; or a normalisation before it"


@rule_with_memory("biased")
def biased(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """|mean| / standard deviation of the outputs of an odd activation function, of eight units or
    more.
    """
    mean = np.abs(figures["activation_mean"] * memory.roles.only("odd"))
    values = mean / figures["activation_std"]
    if not (values > thresholds.biased_mean).any():
        return Symptoms(values)
    values[values == np.inf] = np.nan  # no spread: idle
    values[of_few_units(figures)] = np.nan
    return Symptoms.above(
        values,
        note=thresholds.biased_mean,
        warning=thresholds.biased_bad,
        explanation="the outputs of {layer} have a mean of {value:.2g} standard deviations "
        "(limit {threshold:g})",
        remedy=_centred,
        source="the course, day 11, part II: mean about 0; LeCun et al. 1998, section 4.3",
        lasting=thresholds.lasting,
    )
