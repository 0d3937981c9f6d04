"""The rules by name, and how one's own becomes one of them."""

from collections.abc import Callable, Mapping
from functools import wraps

import numpy as np

from layerscope.arguments import did_you_mean
from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.symptoms import Symptoms
from layerscope.diagnose.thresholds import Thresholds

Rule = Callable[[Figures, Thresholds, Memory], Symptoms]
"""Judges a block of steps, in order of step; what it must keep for the next block, the memory has.

What it says of a step may depend on that step and on those before, not on how they were cut into
blocks. It runs with NumPy's floating-point warnings off.
"""

RULES: dict[str, Rule] = {}
"""All rules, in the order in which findings of the same step are told: causes before effects."""

OF_RUN: set[str] = set()
"""Rules that judge a run's steps, not its layers: their symptoms have one column and a place."""


def rule(name: str) -> Callable[[Callable[[Figures, Thresholds], Symptoms]], Rule]:
    """Register a function of figures and thresholds as a rule, for every judge made from now on.

    >>> @rule("mostly_zero")
    ... def mostly_zero(figures: Figures, thresholds: Thresholds) -> Symptoms:
    ...     return Symptoms.above(
    ...         figures["zeros"],
    ...         warning=0.9,
    ...         explanation="{value:.0%} of the outputs of {layer} are zero",
    ...         remedy="model.activation=leaky_relu",
    ...     )
    >>> del RULES["mostly_zero"]

    Raises:
        ValueError: the name is taken.
    """

    def register(function: Callable[[Figures, Thresholds], Symptoms]) -> Rule:
        def judged(figures: Figures, thresholds: Thresholds, _: Memory) -> Symptoms:
            return function(figures, thresholds)

        return rule_with_memory(name)(judged)

    return register


def rule_with_memory(name: str) -> Callable[[Rule], Rule]:
    """Register a function of figures, thresholds and memory; ValueError if the name is taken."""

    def register(function: Rule) -> Rule:
        if name in RULES:
            raise ValueError(f"there is a rule named {name!r} already")
        RULES[name] = function
        return function

    return register


def rule_of_run(name: str, *, looks_at: str | tuple[str, ...] = ()) -> Callable[[Rule], Rule]:
    """Register a rule whose symptoms are `Symptoms.of_run`; ValueError if the name is taken.

    Args:
        looks_at: a figure that is known in steps with a look alone, or several: where none of them
            is known in a block, the rule is not asked.
    """
    needed = (looks_at,) if isinstance(looks_at, str) else looks_at

    def register(function: Rule) -> Rule:
        @wraps(function)
        def judged(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
            if all(np.isnan(figures[figure]).all() for figure in needed):
                return Symptoms(figures[needed[0]][:, np.newaxis])
            return function(figures, thresholds, memory)

        OF_RUN.add(name)
        return rule_with_memory(name)(judged if looks_at else function)

    return register


def without(*names: str) -> Mapping[str, Rule]:
    """All registered rules but these; ValueError if there is none of a name."""
    for name in names:
        if name not in RULES:
            meant = did_you_mean(name, RULES) or "; `layerscope explain` lists them"
            raise ValueError(f"there is no rule named {name!r}{meant}")
    return {name: rule for name, rule in RULES.items() if name not in names}
