"""Batches that hold one class each, where the data hold several."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.questions.batch_variety import variety_of_batches

_SHARE = 0.25
"""Of the labels' entropy. In random batches of n samples it is lowest where a class is so rare that
one batch has it: (ln n + 1) / (ln N + 1) of N samples in all, which is a half and not a quarter."""


@rule_of_run("not_shuffled", looks_at="batch_entropy")
def not_shuffled(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """The variety of batches: 1 of random ones, 0 of data that are sorted by class."""
    values = variety_of_batches(figures, memory)
    ill = values < _SHARE
    return Symptoms.of_run(
        "loss",
        values,
        np.where(ill, 2, 0),
        Advice(
            "a batch has {value:.0%} of the variety that all labels have (limit {threshold:.0%}): "
            "the data come sorted by class, and each step unlearns what earlier steps have "
            "learned of the other classes",
            "DataLoader(..., shuffle=True), or one permutation of inputs and labels alike before "
            "each epoch",
        ),
        limits=(np.nan, _SHARE, np.nan),
        source="Bengio 2012, Practical recommendations for gradient-based training, section 2.1.2",
        lasting=3,
        falling=True,
    )
