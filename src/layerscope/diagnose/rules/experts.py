"""Mixtures of experts whose router sends tokens to few of them."""

import numpy as np

from layerscope.diagnose import Figures, Symptoms, Thresholds, rule
from layerscope.diagnose.measured.figures import Values

_BY_CHANCE = 10.0
"""Tokens per expert in a step: an even router passes an expert by with a chance of exp(-10)."""

_EVEN = 50.0
"""The same: the busiest of 64 experts of an even router has some 1.4 times as many."""

_REMEDY = (
    "a loss for balance, 0.01 * experts * (share of tokens * mean probability).sum() of each "
    "router, or a larger weight of the one that there is; a smaller optimizer.lr for the router"
)


@rule("experts_unused")
def experts_unused(figures: Figures, thresholds: Thresholds) -> Symptoms:
    """Share of a router's experts that got no token, of steps with ten tokens per expert or more,
    from step `patience` on.
    """
    t = thresholds
    return Symptoms.above(
        _judged(figures, "experts_unused", _BY_CHANCE, t),
        note=t.dead_share,
        warning=t.dead_bad,
        critical=t.dead_critical,
        explanation="{value:.0%} of the experts of {layer} got no token (limit {threshold:.0%}): "
        "they learn nothing",
        remedy=_REMEDY,
        source="Shazeer et al. 2017, section 4: gates that favour few experts; limits: dead units",
        lasting=t.lasting,
    )


@rule("experts_uneven")
def experts_uneven(figures: Figures, thresholds: Thresholds) -> Symptoms:
    """Tokens of the busiest expert / the mean, of steps with fifty tokens per expert or more, from
    step `patience` on.
    """
    t = thresholds
    return Symptoms.above(
        _judged(figures, "expert_load", _EVEN, t),
        note=t.expert_load,
        explanation="an expert of {layer} gets {value:.3g} times as many tokens as the mean (limit "
        "{threshold:g}): with a capacity of the usual size tokens are dropped",
        remedy=_REMEDY,
        source="Fedus et al. 2022 (Switch), section 2.2: capacity factors of 1 to 2",
        lasting=t.lasting,
    )


def _judged(figures: Figures, name: str, least: float, t: Thresholds) -> Values:
    """A figure of routers, NaN where an expert has fewer tokens on average or it is too early."""
    values = figures[name].copy()
    values[figures["expert_tokens"] < least] = np.nan
    values[figures.steps < t.patience] = np.nan
    return values
