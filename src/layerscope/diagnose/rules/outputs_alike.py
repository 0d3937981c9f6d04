"""Outputs that all point the same way, under a loss for which only their direction counts."""

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_ALIKE = 0.99
_LOOKS = 3


@rule_of_run("outputs_alike", looks_at="output_cosine")
def outputs_alike(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Mean cosine between the outputs of two samples, from `patience` steps on, where the gradient
    stands at right angles to each output: a loss of cosines, which cannot tell samples apart then.
    Before that a network may begin so.
    """
    values = figures["output_cosine"].astype(np.float64)
    values[memory.loss_curve.of(figures).known < thresholds.patience] = np.nan
    return Symptoms.of_run_above(
        "output",
        values,
        Advice(
            "the outputs of all samples point the same way (mean cosine {value:.4f}, limit "
            "{threshold:g}): a loss of cosines is made small by outputs that say nothing of their "
            "inputs",
            "something that drives samples apart: other samples as negatives; labels of -1 for "
            "pairs that differ, not 0; a stopped gradient and a predictor (SimSiam); triplets of "
            "any negatives first, and of the hardest later",
        ),
        warning=_ALIKE,
        source="Chen and He 2021, Exploring Simple Siamese Representation Learning: collapsing",
        lasting=_LOOKS,
    )
