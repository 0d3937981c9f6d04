"""Classes that were numbered in each batch anew."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run

_ONE_IN = 6.0
"""Log10: a chance of one in a million."""


@rule_of_run("labels_by_batch", looks_at="labels_numbered")
def labels_by_batch(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """-log10 of the chance that the classes which batches miss are always the last ones, were each
    batch drawn by the classes' frequencies: so numbers are that are given in each batch anew.
    """
    return Symptoms.of_run_above(
        "loss",
        figures["labels_numbered"].astype(np.float64),
        Advice(
            "the labels of each batch count up from 0 without a gap, which happens by chance once "
            "in 10^{value:.0f}: the classes were numbered anew in each batch, so one class has "
            "several numbers",
            "number the classes once, for all data: a table from class to number, made before the "
            "batches are; no unique(return_inverse=True) or factorize() in collate_fn",
        ),
        warning=_ONE_IN,
        source="the chance is that of batches drawn by the classes' frequencies",
    )
