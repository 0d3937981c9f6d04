"""An optimizer whose running averages cannot do their work."""

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_OFTEN = 0.5
"""Optimizers that are made anew / steps. Once an epoch, or at a restart, is on purpose."""

_ADVICE = (
    Advice(
        "the optimizer is made anew {value:.2g} times a step: its momentum and its averages begin "
        "at zero each time, and Adam's step is the gradient's sign",
        "make the optimizer once, before the loop",
        (np.nan, _OFTEN, np.nan),
    ),
    Advice(
        "beta1 / sqrt(beta2) of the optimizer is {value:.3g} (limit {threshold:g}): it averages "
        "gradients over more steps than their squares, as if the two were exchanged",
        "betas=(0.9, 0.999): the first is that of the gradients",
        (np.nan, 1.0, np.nan),
    ),
)


@rule_of_run("optimizer_averages", looks_at="optimizers_replaced")
def optimizer_averages(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Optimizers that were made of the parameters of one before / the steps since the last look; or
    beta1 / sqrt(beta2) of Adam and its kind, which its convergence needs below 1 (Reddi et al.
    2018, On the Convergence of Adam and Beyond, theorem 2).
    """
    last = memory.of_run("last", 2)
    made = np.full(len(figures.steps), np.nan)
    for row in np.flatnonzero(~np.isnan(figures["optimizers_replaced"])).tolist():
        now = float(figures["optimizers_replaced"][row]), float(figures.steps[row])
        made[row] = (now[0] - last[0]) / (now[1] - last[1])
        last[:] = now
    ratio = figures["beta_ratio"].astype(np.float64)
    exchanged = ratio >= 1
    values = np.where(exchanged, ratio, made)
    return Symptoms.of_run(
        "optimizer",
        values,
        np.where(exchanged | (made > _OFTEN), 2, 0).astype(np.int8),
        *_ADVICE,
        source="torch.optim: what an optimizer averages is in its state",
        lasting=thresholds.lasting,
        cause=exchanged.astype(np.int8),
    )
