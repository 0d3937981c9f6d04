"""Batches that hold one class each, where the data hold several."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run

_LOOKS = 5
_SAMPLES = 8
"""Of fewer a batch may be of one class by chance."""
_SHARE = 0.25
"""Of the labels' entropy. In random batches of n samples it is lowest where a class is so rare that
one batch has it: (ln n + 1) / (ln N + 1) of N samples in all, which is a half and not a quarter."""
_SEVERAL = 0.1
"""Nats: a class of 2 %."""


@rule_of_run("not_shuffled", looks_at="batch_entropy")
def not_shuffled(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Entropy of the labels within a batch, the mean over all looks / that of all labels seen, or
    what a batch of n samples has at most, ln n: 1 of random batches, 0 of data that are sorted by
    class.
    """
    within, samples = figures["batch_entropy"].astype(np.float64), figures["samples"]
    alone = memory.loss_curve.of(figures).alone
    counts = ~np.isnan(within) & (samples >= _SAMPLES) & alone
    floor = np.nan_to_num(figures["loss_floor"])  # of smoothed labels
    sums = memory.of_run("batches", 2)
    before = np.nan_to_num(sums)
    looks = before[0] + np.cumsum(counts)
    total = before[1] + np.cumsum(np.where(counts, within - floor, 0.0))
    sums[:] = looks[-1], total[-1]
    # Not fmin: of a loss with weights the labels' entropy is not known.
    most = np.minimum(figures["label_entropy"] - floor, np.log(np.fmax(samples, 1)))
    values = np.where(counts & (most > _SEVERAL), total / np.fmax(looks, 1) / most, np.nan)
    ill = (values < _SHARE) & (looks >= _LOOKS)
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
