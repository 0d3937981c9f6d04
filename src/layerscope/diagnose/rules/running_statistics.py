"""Batch normalisations whose running statistics are of no use in evaluation."""

import numpy as np

from layerscope.diagnose import Case, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Series

_OF_ONE_BATCH = 0.5
_OF_THE_START = 0.5

_FEW = 33.0
"""Values: of fewer, a variance is known no better than to 25 %, which is sqrt(2 / (n - 1))."""


_MOVED = 2.0
"""Times, or a half."""

_FEW_SAMPLES = 4.0
_APART = 0.25
"""Deviations: a mean, or a deviation, that is off by a quarter."""

_FROZEN = (
    "backbone.eval() after each model.train(), for requires_grad_(False) does not stop running "
    "statistics"
)


@rule_of_run("running_statistics", looks_at=("norm_momentum", "frozen_variance"))
def running_statistics(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Momentum of a batch normalisation in training, the share of the new batch; -1 stands for one
    that somebody has written, and that has kept nothing; or what the case has.
    """
    momentum = figures["norm_momentum"].astype(np.float64)
    written = momentum < 0
    momentum[written] = 0.0
    left = (1 - momentum) ** (figures.steps + 1)
    begun = (momentum != 0) & (left > _OF_THE_START) & (figures.steps >= thresholds.patience)
    last = ~begun & (momentum > _OF_ONE_BATCH)
    moved = figures["frozen_variance"].astype(np.float64)
    far = (moved > _MOVED) | (moved < 1 / _MOVED)
    apart = figures["frozen_apart"].astype(np.float64)
    by_few = (apart > _APART) & (figures["input_rows"] <= _FEW_SAMPLES)
    few = _fewest(figures, memory) * (2 - momentum) / np.where(last, momentum, 1) < _FEW
    return Symptoms.of_cases(
        "network",
        momentum,
        Case(
            written,
            "the running mean and variance of a normalisation that is not torch's are still 0 and "
            "1, as at the start: it has kept nothing of any batch, and evaluation normalises by "
            "these",
            "in its forward, in training mode: with torch.no_grad(): "
            "self.running_mean.lerp_(mean, momentum), and likewise the variance; or "
            "torch.nn.BatchNorm2d",
        ),
        Case(
            momentum == 0,
            "a batch normalisation has a momentum of 0 and has kept nothing of any batch: in "
            "evaluation it normalises by a mean of 0 and a variance of 1",
            "momentum=0.1, PyTorch's own; or momentum=None for the mean of all batches",
        ),
        Case(
            begun,
            "{value:.0%} of a batch normalisation's running statistics is still the mean of 0 and "
            "the variance of 1 that they start with (limit {threshold:.0%}): an evaluation now "
            "normalises by these",
            "evaluate later, or momentum=0.1, PyTorch's own: the share of the new batch",
            _OF_THE_START,
            value=left,
            severity=1,
        ),
        Case(
            by_few,
            "the batch normalisations of a frozen part are in training mode: they normalise by "
            "batches of four samples or fewer, whose mean or deviation is off by {value:.2g} "
            "deviations (limit {threshold:g}), and evaluation by what they leave of the statistics "
            "that came with the frozen weights",
            _FROZEN,
            _APART,
            value=apart,
        ),
        Case(
            far,
            "the batch normalisations of a frozen part are in training mode: the running variance "
            "that they came with is now {value:.2g} times what it was",
            _FROZEN + "; change nothing if they are meant to follow the new data",
            _MOVED,
            value=moved,
            severity=1,
        ),
        Case(
            last & few,
            "a batch normalisation has a momentum of {value:.3g} (limit {threshold:g}), and a "
            "batch has few values of a channel: evaluation divides by the variance of the last "
            "few, which is off by a quarter and more",
            "momentum=0.1, PyTorch's own: it is 1 minus that of Keras, whose 0.99 is 0.01 here",
        ),
        Case(
            last,
            "a batch normalisation has a momentum of {value:.3g} (limit {threshold:g}): in "
            "evaluation it normalises by little more than the last batch",
            "momentum=0.1, PyTorch's own: it is 1 minus that of Keras, whose 0.99 is 0.01 here",
            severity=1,
        ),
        limits=(_OF_ONE_BATCH, _OF_ONE_BATCH, np.nan),
        source="torch.nn.BatchNorm2d: momentum is the share of the new batch",
        lasting=thresholds.lasting,
    )


def _fewest(figures: Figures, memory: Memory) -> Series:
    """Values that the batch normalisation with fewest has of each channel in a step, as last known,
    [steps]; of micro-batches those of all together.
    """
    of = memory.roles.batch_norms
    if not of:
        return np.full(len(figures.steps), np.nan)
    values = figures.values_of_units(of)
    known = np.fmin.reduce(values.astype(np.float64), axis=1)
    return memory.known("fewest", known)
