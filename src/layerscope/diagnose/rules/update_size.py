"""Updates too large or too small: how far a step moves weights, against their size.

The rule of thumb is log10 RMS(update) / RMS(weight) = -3: Karpathy, nn-zero-to-hero, lecture 3;
CS231n, Neural Networks Part 3, "ratio of weights:updates".
"""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Flags, Series, Values
from layerscope.diagnose.measured.last_known import last_known
from layerscope.diagnose.questions.larger_targets import growth_of_an_error
from layerscope.diagnose.questions.median import known_median
from layerscope.diagnose.questions.pace import update_ratio
from layerscope.diagnose.questions.recurrent import CLIP, is_clipped, is_recurrent
from layerscope.diagnose.questions.solved import is_learning
from layerscope.diagnose.symptoms import A_TENTH, graded

_LOSS_GREW = 2.0
_BEFORE = 20
"""Losses before steps that are large, which these have to raise the loss above: where tasks take
turns, or a penalty comes now and then, a loss is high by itself."""

_NEXT_TO = 0.02
"""Times the root of 1 / fan_in, where torch's own weights are 0.6: such weights give a fiftieth of
what they get, and are next to zero."""


_BY_SO_MUCH = (
    "a step changes the weights of {layer} by 10^{value:.1f} times their size (limit "
    "10^{threshold:g}, usual 10^-3)"
)
_TOO_LARGE = (
    Advice(
        _BY_SO_MUCH, lambda facts: f"{CLIP}; else {A_TENTH}" if is_recurrent(facts) else A_TENTH
    ),
    Advice(_BY_SO_MUCH, A_TENTH),
    Advice(
        "a step changes {layer} by more than numbers of its type can hold (limit "
        "10^{threshold:g} times the size of its weights, usual 10^-3)",
        A_TENTH,
    ),
)
_TOO_SMALL = (
    Advice(
        f"{_BY_SO_MUCH}, and no step did more",
        "optimizer.lr=... as many times larger as that is below 10^-3: a hundred times for "
        "10^-5, a thousand times for 10^-6",
    ),
    Advice(
        "no step has changed the weights of {layer}, though they get a gradient and an optimizer "
        "has them: what steps add is too small for their type, or nothing",
        "see what optimizer.lr is: 10^-3 is usual for Adam, and 10^-1 to 10^-2 for SGD; in an "
        "optimizer of your own, that step() changes the weights in place",
    ),
    Advice(
        f"{_BY_SO_MUCH}, because these are more than a hundred times as large as those that keep a "
        "signal's size",
        "weights of variance 1 / fan_in or 2 / fan_in in this layer: torch.nn.init."
        "kaiming_normal_; torch.empty and torch.Tensor(rows, columns) draw none, and hold what was "
        "in the memory before",
    ),
)
_OF_LARGE_WEIGHTS = 2
_LARGE = 100.0
"""Times the root of 1 / fan_in."""

_SOURCE = "Karpathy, nn-zero-to-hero, lecture 3; CS231n, Neural Networks Part 3: about 0.001"


@rule_with_memory("update_too_large")
def update_too_large(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """log10 RMS(update) / RMS(weight), for longer than the warm-up, or for `lasting` steps by which
    the loss has doubled.
    """
    t = thresholds
    values = update_ratio(figures, memory.roles)
    limits = (np.nan, t.update_large, max(0.0, t.update_large))
    clipped = is_clipped(figures, memory)
    grown = growth_of_an_error(figures, memory)
    so_far, losses = memory.of_run("losses_before", _BEFORE), figures["loss"].astype(np.float64)
    known = np.append(so_far, losses)
    so_far[:] = known[-_BEFORE:]
    # Of the running streak: its first step, its steps, the loss then and the highest since; whether
    # it began at zero.
    begun, streak, loss_then, highest, no_size = memory.of_layers("streak", 5)
    rms = figures["weight_rms"]
    starts_small = (figures.steps == 0)[:, np.newaxis] & (rms * memory.roles.fan_in**0.5 < _NEXT_TO)
    zero = (rms == 0) | starts_small
    large = (values > t.update_large) & ~zero
    severity, since = None, None
    if not (large.any() or zero.any() or (streak > 0).any() or (no_size > 0).any()):
        return Symptoms(values)
    pending = (large | zero).any(axis=0) | (streak > 0) | (no_size > 0)
    for layer in np.flatnonzero(pending).tolist():
        for row, value in enumerate(values[:, layer].tolist()):
            if zero[row, layer]:
                no_size[layer] = 1
            if not large[row, layer]:
                if value <= t.update_large:
                    streak[layer] = 0
                    no_size[layer] *= np.isnan(memory.roles.fan_in[layer])
                continue
            if no_size[layer] > 0 and value <= 0:
                streak[layer] = 0
                continue
            if not streak[layer] > 0:
                begun[layer] = figures.steps[row]
                loss_then[layer] = np.fmax.reduce(known[row : row + _BEFORE + 1])
                streak[layer] = highest[layer] = 0
            streak[layer] += 1
            highest[layer] = max(highest[layer], losses[row])
            recent = known_median(known[: row + _BEFORE + 1][-t.lasting :], axis=0)
            level = min(losses[row], recent)  # one loss of several may be high by itself
            level /= grown[row]
            was_thrown = highest[layer] > t.loss_diverged * loss_then[layer]
            hurts = was_thrown and level > loss_then[layer]
            hurts |= level > _LOSS_GREW * loss_then[layer]
            hurts &= streak[layer] >= t.lasting
            outgrows = no_size[layer] > 0 and streak[layer] >= t.lasting
            if outgrows or ((hurts or streak[layer] >= t.warm_up) and not no_size[layer] > 0):
                if severity is None or since is None:
                    severity = np.zeros(values.shape, np.int8)
                    since = np.zeros(values.shape, np.int64)
                severity[row, layer] = 3 if value > limits[2] else 2
                since[row, layer] = int(begun[layer])
    cause = np.where(np.isposinf(values), 2, clipped[:, np.newaxis]).astype(np.int8)
    return Symptoms(values, severity, limits, _TOO_LARGE, _SOURCE, cause=cause, since=since)


@rule_with_memory("update_too_small")
def update_too_small(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """The same, where it has never been larger in the run: one that has learned may have done so. A
    convolution before a normalisation moves the less the larger its weights are, and computes the
    same.
    """
    values = update_ratio(figures, memory.roles)
    learning = is_learning(figures, memory)
    none = (figures["weight_grad_rms"] == 0) | _of_nobody(figures, memory)
    values = ratios = np.where(none, np.nan, values)
    of_groups = memory.known_of_layers("shares", figures["rate_share"])
    rates = memory.of_run("rates", 2)
    learned = memory.of_layers("learned")[0]
    if not (values < thresholds.update_small).any():
        learned[~np.isnan(values).all(axis=0)] = 1
        _remember(figures["learning_rate"], rates)
        return Symptoms(values)
    steady = _steady(figures["learning_rate"], rates)
    ever = np.logical_or.accumulate(values >= thresholds.update_small, axis=0) | (learned > 0)
    learned[ever[-1]] = 1
    values = np.where(ever | ~steady[:, np.newaxis], np.nan, values)
    limits = (np.nan, thresholds.update_small, np.nan)
    severity = graded(values, limits, falling=True)
    if severity is not None:
        small = values < thresholds.update_small
        few = 2 * small.sum(1) < (~np.isnan(ratios)).sum(1)
        harmless = (few & learning)[:, np.newaxis] & np.isfinite(values)
        harmless |= of_groups < 1
        severity = np.where(harmless, np.minimum(severity, 1), severity).astype(np.int8)
    sizes = figures["weight_rms"] * np.sqrt(memory.roles.fan_in)
    are_large = (sizes > _LARGE) & ~np.isneginf(values)
    return Symptoms(
        values,
        severity,
        limits,
        _TOO_SMALL,
        _SOURCE,
        thresholds.warm_up,
        np.where(are_large, _OF_LARGE_WEIGHTS, np.isneginf(values)),
        falling=True,
    )


def _of_nobody(figures: Figures, memory: Memory) -> Flags:
    """Whether no optimizer has a layer's parameters, as last looked at: [steps, layers]."""
    owned, last = figures["owned"], memory.of_layers("owned")[0]
    if not ((owned == 0).any() or (last == 0).any()):
        return np.zeros(owned.shape, bool)
    return last_known(owned.astype(np.float64), last) == 0


def _steady(rates: Values, before: Series) -> Flags:
    """Whether each step's learning rate is neither rising nor on its way to zero, bool [steps].

    Args:
        rates: of the steps; NaN, where it is unknown, counts as steady.
        before: the rate of the step before and the largest so far; afterwards, of this block.
    """
    known = np.append(before[0], rates)
    largest = np.fmax(np.fmax.accumulate(rates), before[1])
    steady: Flags = ~(rates > known[:-1]) & ~(rates < 0.5 * largest) & ~(rates == 0)
    _remember(rates, before)
    return steady


def _remember(rates: Values, before: Series) -> None:
    before[:] = rates[-1], np.fmax.reduce(rates, initial=before[1])
