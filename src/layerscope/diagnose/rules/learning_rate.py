"""A learning rate of nothing: a schedule has ended, or has never begun."""

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_GONE = 1e-9
"""Of the largest rate. A cosine that ends at 0 is below for 20 steps only if it took a million."""

_LEARNED = 0.5


@rule_of_run("learning_rate_gone")
def learning_rate_gone(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Learning rate / the largest so far, where it is all but 0 for `warm_up` steps.

    A schedule may well end at 0, with the training: it is a note where the loss is down to half.
    With several optimizers the steps tell of different rates, and the rule is silent.
    """
    rates = figures["learning_rate"].astype(np.float64)
    highest = memory.highest("largest", rates)
    curve = memory.loss_curve.of(figures)
    learned = curve.level < _LEARNED * curve.start
    values = np.where(highest > 0, rates / np.where(highest > 0, highest, 1), 0.0)
    values[np.isnan(rates) | ~curve.alone] = np.nan
    ill = values <= _GONE
    return Symptoms.of_run(
        "optimizer",
        values,
        np.where(ill, np.where(learned, 1, 2), 0).astype(np.int8),
        Advice(
            "the learning rate is down to {value:.0e} of what it was: nothing moves any more",
            "scheduler.step() once an epoch if its numbers are epochs; else give it the number of "
            "steps that the training really has",
        ),
        Advice(
            "the learning rate is 0, and has never been more: nothing moves",
            "scheduler.step() after each optimizer.step(): a warm-up that begins at 0 never leaves "
            "it otherwise; else see what optimizer.lr is",
        ),
        limits=(_GONE, _GONE, np.nan),
        source="torch.optim.lr_scheduler: a scheduler counts its own steps",
        lasting=thresholds.warm_up,
        cause=(~(highest > 0)).astype(np.int8),
        falling=True,
    )
