"""An optimizer whose running averages cannot do their work."""

import numpy as np

from layerscope.diagnose import Case, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.questions.solved import is_solved

_OFTEN = 0.5
"""Optimizers that are made anew / steps. Once an epoch, or at a restart, is on purpose."""

_DROWNS = 3.0
_BY_HAND = 1e-4
"""Of an epsilon: nobody has a larger one by default, and gradients below a tenth of a smaller one
are those of a task that is solved."""

_LONG = 200.0
"""Steps that a momentum adds up: of 0.995. Twice as many as nnU-Net's 0.99, the largest that is
usual."""

_SHORT = 2.0
"""Steps that squares are averaged over: of a beta2 of 0.5. The smallest that is usual is 0.9, which
is ten."""


@rule_of_run("optimizer_averages", looks_at="optimizers_replaced")
def optimizer_averages(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Optimizers that were made of the parameters of one before / the steps since the last look; or
    what the case has.
    """
    last = memory.of_run("last", 2)
    made = np.full(len(figures.steps), np.nan)
    for row in np.flatnonzero(~np.isnan(figures["optimizers_replaced"])).tolist():
        now = float(figures["optimizers_replaced"][row]), float(figures.steps[row])
        made[row] = (now[0] - last[0]) / (now[1] - last[1])
        last[:] = now
    epsilon = figures["epsilon"].astype(np.float64)
    gradients = np.fmax.reduce(figures["weight_grad_rms"].astype(np.float64), axis=1)
    times = np.where(epsilon >= _BY_HAND, epsilon / gradients, np.nan)
    drowns = (times > _DROWNS) & np.isfinite(times) & ~is_solved(figures, memory)
    adds_up = 1 / np.maximum(1 - figures["momentum"].astype(np.float64), 1e-9)
    averaged = figures["squares_averaged"].astype(np.float64)
    return Symptoms.of_cases(
        "optimizer",
        made,
        Case(
            figures["beta_ratio"] >= 1,
            "beta1 / sqrt(beta2) of the optimizer is {value:.3g} (limit {threshold:g}): it "
            "averages gradients over more steps than their squares, as if the two were exchanged",
            "betas=(0.9, 0.999): the first is that of the gradients",
            1.0,
            figures["beta_ratio"].astype(np.float64),
        ),
        Case(
            made > _OFTEN,
            "a new optimizer is made within the loop ({value:.2g} for each step): its momentum and "
            "its averages begin at zero each time, and Adam's step is the gradient's sign",
            "make the optimizer once, before the loop",
            _OFTEN,
        ),
        Case(
            drowns,
            "the optimizer's eps is {value:.2g} times the largest of all layers' gradients (limit "
            "{threshold:g}): it drowns the average of their squares, so a step is the gradient "
            "times lr / eps, as with SGD at that rate",
            "eps=1e-8, as it is by default; up to 1e-3 where 16 bits or an agent's targets ask for "
            "it",
            _DROWNS,
            times,
            severity=1,
        ),
        Case(
            adds_up > _LONG * (1 + 1e-4),
            "the optimizer's momentum adds up {value:.0f} steps (limit {threshold:g}): a gradient "
            "moves the weights as many times as far as lr says, and goes on to do so long after",
            "momentum=0.9; with less of it lr may be larger",
            _LONG,
            adds_up,
            severity=1,
        ),
        Case(
            (averaged >= 1) & (averaged <= _SHORT),
            "the optimizer's second beta averages the squares of too few gradients (about "
            "{value:.2g}, limit {threshold:g}): each gradient is divided by little more than "
            "itself, so all weights move by about lr in every step, by noise as far as by a slope",
            "betas=(0.9, 0.999): the second is that of the squares",
            _SHORT,
            averaged,
            severity=1,
        ),
        source="torch.optim: what an optimizer averages is in its state",
        lasting=thresholds.lasting,
    )
