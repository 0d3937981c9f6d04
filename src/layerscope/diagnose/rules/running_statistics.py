"""Batch normalisations whose running statistics are of no use in evaluation."""

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_OF_ONE_BATCH = 0.5
_OF_THE_START = 0.5


@rule_of_run("running_statistics", looks_at="norm_momentum")
def running_statistics(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Momentum of a batch normalisation in training, the share of the new batch: 0 keeps nothing of
    any. Or what it leaves, after n steps, of the mean of 0 and the variance of 1 that the running
    statistics start with: (1 - m)^n.
    """
    values = figures["norm_momentum"].astype(np.float64)
    none = values == 0
    left = (1 - values) ** (figures.steps + 1)
    begun = ~none & (left > _OF_THE_START) & (figures.steps >= thresholds.patience)
    values = np.where(begun, left, values)
    return Symptoms.of_run(
        "network",
        values,
        np.where(none, 2, np.where(begun | (values > _OF_ONE_BATCH), 1, 0)),
        Advice(
            "a batch normalisation has a momentum of {value:.3g} (limit {threshold:g}): in "
            "evaluation it normalises by what little the last batch tells",
            "momentum=0.1, PyTorch's own: it is 1 minus that of Keras, whose 0.99 is 0.01 here",
        ),
        Advice(
            "a batch normalisation has a momentum of 0 and has kept nothing of any batch: in "
            "evaluation it normalises by a mean of 0 and a variance of 1",
            "momentum=0.1, PyTorch's own; or momentum=None for the mean of all batches",
        ),
        Advice(
            "{value:.0%} of a batch normalisation's running statistics is still the mean of 0 and "
            "the variance of 1 that they start with (limit {threshold:.0%}): an evaluation now "
            "normalises by these",
            "evaluate later, or momentum=0.1, PyTorch's own: the share of the new batch",
            (_OF_THE_START, np.nan, np.nan),
        ),
        limits=(_OF_ONE_BATCH, _OF_ONE_BATCH, np.nan),
        source="torch.nn.BatchNorm2d: momentum is the share of the new batch",
        lasting=thresholds.lasting,
        cause=np.where(begun, 2, none),
    )
