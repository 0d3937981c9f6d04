"""Dead units: never active on enough samples, and with no gradient that would bring them back."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from math import isnan, nan

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Flags, Series, Steps, Values
from layerscope.diagnose.measured.last_known import note_first
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.questions.loss_terms import is_of_no_known_kind, note_if_baseline
from layerscope.diagnose.questions.simple_network import dies_by_chance
from layerscope.diagnose.questions.solved import has_learned, is_learning, note_if_solved
from layerscope.diagnose.symptoms import A_TENTH, graded


def _at_the_start(facts: LayerFacts) -> str:
    if facts.bounds is not None and facts.bounds[0] < 0:
        return "init=xavier and init.bias_std=0: its units are saturated on every sample"
    return (
        "init=kaiming and init.bias_std=0, for a bias far below zero keeps a unit shut; and inputs "
        f"of {facts.name} with a mean of 0; or model.activation=leaky_relu"
    )


def _later(facts: LayerFacts) -> str:
    other = "" if facts.bounds is not None else "; or model.activation=leaky_relu"
    return f"{A_TENTH}{other}"


def _at_the_end(usual: Callable[[LayerFacts], str]) -> Callable[[LayerFacts], str]:
    """What to do where the network ends with that function."""
    return lambda facts: (
        f"no such function after the last layer, whose outputs become {facts.name}: none for a "
        "regression or for logits, a sigmoid for probabilities; if they cannot be below 0, "
        + usual(facts)
    )


_ADVICE = (
    Advice("{value:.0%} of the units of {layer} were dead from the start (limit {threshold:.0%})",
           _at_the_start),
    Advice("{value:.0%} of the units of {layer} are dead (limit {threshold:.0%})",
           _later),
    Advice("{value:.0%} of the units of {layer} have been silent from the start on (limit "
           "{threshold:.0%}), on few samples so far: with 95 % certainty none of them is active "
           "on more than 0.6 % of all samples", _at_the_start),
    Advice("{value:.0%} of the units of {layer} are silent (limit {threshold:.0%}), on few "
           "samples so far: with 95 % certainty none of them is active on more than 0.6 % of all "
           "samples", _later),
)  # fmt: skip
_ALL = _ADVICE + tuple(
    replace(each, remedy=_at_the_end(usual))
    for each, usual in zip(_ADVICE, (_at_the_start, _later) * 2, strict=True)
)


@lru_cache(maxsize=1)
def _advice(first: str) -> tuple[Advice, ...]:
    """The words."""
    if not first:
        return _ALL
    return tuple(
        replace(each, remedy=lambda facts: first + _at_the_start(facts))
        if each.remedy is _at_the_start
        else each
        for each in _ALL
    )


@rule_with_memory("dead_units")
def dead_units(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of a layer's units that are dead, as the figures count them: over enough samples, or
    over 512 where the loss does not fall.
    """
    t = thresholds
    limits = (t.dead_share, t.dead_bad, t.dead_critical)
    can_shut = memory.roles.only("can_shut") == 1
    silent = figures["silent_units"] / figures["units"] * np.where(can_shut, 1, np.nan)
    born = _born_silent(silent, figures, memory)
    some, bad = (np.fmax(limit, born).astype(np.float32) for limit in limits[:2])
    units = figures["units"]
    finite = ~(figures["activation_nonfinite"] > 0)  # NaN is not active, and no death
    alive = memory.roles.only("can_die") * np.where(finite, np.float32(1), np.float32(np.nan))
    values = figures["dead_units"] / units * alive
    shut = (figures["zeros"] == 1) & (figures["dead_units"] >= 0) & can_shut
    quiet = figures["quiet_units"] / units * alive
    early = (quiet > bad) & ~(values > bad)
    values = np.where(early, quiet, values)
    # All of a layer may be silent for a batch or two, and come back by the layers before it.
    shut |= early & (values == 1)
    lasts = _in_a_row(shut, memory.of_layers("shut")[0]) >= t.lasting
    values[lasts] = 1.0
    early &= ~lasts
    # How far a loss of no known kind may fall nobody knows, a density's below 0: it counts that it
    # falls.
    learns = is_learning(figures, memory) & is_of_no_known_kind(figures, memory)
    learns |= has_learned(figures, memory)
    severity = note_if_solved(graded(values, limits), figures, memory)
    note_if_baseline(severity, figures, memory)
    if severity is not None:
        severity[(severity < 3) & (values <= some)] = 0
        severity[early] = np.minimum(severity[early], 2)
    begun = memory.of_layers("begun", 3)
    if severity is None and not (silent > t.dead_share).any() and np.isnan(begun).all():
        return Symptoms(values)
    since = None
    of_layers: tuple[float | Values, ...] = (some, bad, t.dead_critical)
    starts = [
        _silent_since(silent, limit, figures.steps, begun[row])
        for row, limit in enumerate(of_layers)
    ]
    cause = None
    if severity is not None:
        severity[(severity == 2) & (values <= bad)] = 1
        start = np.choose(np.maximum(severity, 1) - 1, starts)
        dead_since = np.where(early, np.nan, figures["dead_since"])
        since = np.fmax(np.fmax(start, dead_since), 0).astype(np.int64)
        cause = (since > 0).astype(np.int8) + 2 * early.astype(np.int8)
        cause[:, [facts.last or facts.end for facts in figures.layers]] += len(_ADVICE)
        soon = figures.steps[:, np.newaxis] - since < t.warm_up
        harmless = (soon & ((values < 1) | early)) | learns[:, np.newaxis]
        severity[(severity == 2) & harmless] = 1
        severity[early & is_learning(figures, memory)[:, np.newaxis]] = 1
    return Symptoms(
        values, severity, limits, _advice(dies_by_chance(memory.roles)), _SOURCE, 1, cause, since
    )


def _born_silent(silent: Values, figures: Figures, memory: Memory) -> Series:
    """The share of units that chance may have made silent, [layers]: what was silent in the first
    step, and what one in twenty layers of its size has beyond half. NaN where it was not chance.
    """
    first = memory.of_layers("first", 2)
    for values, known in zip((silent, figures["zeros"]), first, strict=True):
        note_first(values, known)
    beyond = _ONE_IN_TWENTY * 0.5 / np.sqrt(np.fmax.reduce(figures["units"], axis=0))
    by_chance = (first[0] <= first[1]) & (first[1] <= 0.5 + beyond)
    return np.where(by_chance, np.fmin(first[0], 0.5) + beyond, np.nan)


_ONE_IN_TWENTY = 1.645
"""Standard deviations of a normal distribution; a share of n units has one of 0.5 / sqrt(n)."""


def _in_a_row(shut: Flags, before: Series) -> Values:
    """For how many steps up to each it was so, [steps, layers].

    Args:
        shut: whether it is so, [steps, layers].
        before: for how many steps before this block; afterwards, of the next.
    """
    count = np.zeros(shut.shape)
    if not shut.any():
        before[:] = 0
        return count
    last = np.nan_to_num(before)
    for row, is_shut in enumerate(shut):
        count[row] = last = np.where(is_shut, last + 1, 0)
    before[:] = last
    return count


def _silent_since(silent: Values, limit: float | Values, steps: Steps, begun: Series) -> Series:
    """Since which step more than `limit` of the units have been silent, as of each step.

    Args:
        silent: share of units, [steps, layers]; NaN neither begins nor ends anything.
        limit: above which it counts, or of each layer.
        begun: of each layer, the first such step before this block, NaN if none; then that of the
            next block.
    """
    since = np.full(silent.shape, np.nan)
    limits = np.broadcast_to(np.float32(limit), silent.shape[1:])
    for layer in np.flatnonzero((silent > limits).any(axis=0) | ~np.isnan(begun)).tolist():
        first, most = float(begun[layer]), float(limits[layer])
        for row, share in enumerate(silent[:, layer].tolist()):
            if share > most:
                first = float(steps[row]) if isnan(first) else first
            elif share <= most:
                first = nan
            since[row, layer] = first
        begun[layer] = first
    return since


_SOURCE = "CS231n, Neural Networks Part 1: as much as 40% dead if steps are too large"
