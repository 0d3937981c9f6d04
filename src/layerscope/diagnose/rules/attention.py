"""Attention that looks at one token only, whose logits grow without bound, or that cannot choose.

Judged in the steps that are looked at: keyframes, every tenth step at first, then every hundredth.
"""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Flags
from layerscope.diagnose.measured.roles import LARGEST_GAIN, Roles
from layerscope.diagnose.questions.solved import has_learned, note_if_solved
from layerscope.diagnose.symptoms import graded

_LOOKS = 2
"""In a row that must show it: one batch may be odd."""

_GROWN = 10.0
"""Times what it was when it was first looked at: what starts large has not grown."""

_SMALL_SCALE = 0.05
"""Of products of queries and keys, times the root of their width: 1 is usual (Vaswani et al. 2017,
section 3.2.1), 1 / sqrt(width) where width is to be scaled (Yang et al. 2022): 0.09 for 128."""

_USUAL_SCALE = 0.5
"""From 1, of the same."""

_SMALLER_STEPS = (
    "optimizer.lr=... a tenth of what it is, with a longer warm-up; or, to keep the rate, "
    "normalise queries and keys (QK-norm)"
)
_COLLAPSED = (
    Advice(
        "the rows of {layer} look at one token each from the start on: the entropy of their "
        "weights is {value:.2g} of a uniform row's (limit {threshold:g})",
        "smaller weights for queries and keys, and logits that are divided by the square root of a "
        "head's width",
    ),
    Advice(
        "the rows of {layer} look at one token each: the entropy of their "
        "weights is {value:.2g} of a uniform row's (limit {threshold:g})",
        _SMALLER_STEPS,
    ),
    Advice(
        "the rows of {layer} look at one token each from the start on: the entropy of their "
        "weights is {value:.2g} of a uniform row's (limit {threshold:g}); its queries and keys "
        "have weights of a usual size, so the values that they are made from must be large",
        "a normalisation before it; no factor of sqrt(width) on an embedding whose elements have "
        "a variance of 1, as torch.nn.Embedding's have",
    ),
)
_GROWING = Advice(
    "the largest logit of {layer} has grown to {value:.3g} (limit {threshold:g}), ten times what "
    "it was at first and more",
    _SMALLER_STEPS,
)
_UNIFORM = (
    Advice(
        "no head of {layer} can choose: the entropy of its rows is {value:.5g} of a uniform row's "
        "(limit {threshold:g}), because the products of its queries and keys are divided by far "
        "more than the square root of their width",
        "divide the logits by the square root of a head's width, once",
    ),
    Advice(
        "no head of {layer} has learned to choose: the entropy of its rows is {value:.5g} of a "
        "uniform row's (limit {threshold:g})",
        "larger weights for queries and keys at the start, of a variance of 1 / fan_in; where "
        "queries and keys are normalised, a factor on the logits that is learned",
    ),
)


@rule_with_memory("attention_axis")
def attention_axis(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """A softmax of products of queries and keys along another axis than that of the keys, whose
    result weights the values: the weights of a query do not add up to 1.
    """
    return Symptoms.above(
        figures["attention_across"],
        warning=0.0,
        explanation="the softmax of {layer} does not run along its keys: the weights of a query do "
        "not add up to 1",
        remedy="softmax(dim=-1) for scores of [batch, heads, queries, keys]",
        source="Vaswani et al. 2017, section 3.2.1: a weighted sum of the values",
        lasting=_LOOKS,
    )


@rule_with_memory("heads_mixed")
def heads_mixed(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Queries [batch, heads, rows, width] that a view alone has cut out of [batch, rows, heads *
    width], as their graph tells: a head is then a part of the rows, and sees no others.
    """
    return Symptoms.above(
        figures["attention_by_view"],
        warning=0.0,
        explanation="a view has cut the heads of {layer} out of its queries in the order of the "
        "memory: a head has some of the rows, and each of them is a part of one",
        remedy="view(batch, rows, heads, width).transpose(1, 2) in the place of that view, of "
        "queries, keys and values",
        source="torch.Tensor.view: the data stay in their order",
        lasting=_LOOKS,
    )


@rule_with_memory("attention_collapse")
def attention_collapse(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Mean over heads of a row's entropy / that of a uniform row over the keys that it may see.

    What comes in may be large, with usual weights, in a transformer that normalises behind each
    layer and multiplies its embedding by the root of its width (torch's default makes it eight
    times too large at a width of 64). Such train well, by their other layers: a note.
    """
    values = figures["attention_entropy"]
    by_inputs = memory.of_layers("by_inputs")[0]
    if figures.steps[0] == 0:
        by_inputs[:] = _has_usual_weights(figures, memory.roles)
    limit = thresholds.attention_collapsed
    opened = memory.of_layers("opened")[0]
    was_open: Flags = np.logical_or.accumulate(values >= limit, axis=0)
    was_open |= ~np.isnan(opened)
    opened[was_open[-1]] = 1
    limits = (limit, limit, limit / 10)
    severity = graded(values, limits, falling=True)
    learned = has_learned(figures, memory)[:, np.newaxis]  # at each block: it remembers
    if severity is not None:
        meant = was_open & ((values >= limit / 2) | learned)
        severity[meant] = np.minimum(severity[meant], 1)
        severity[:, by_inputs == 1] = np.minimum(severity[:, by_inputs == 1], 1)
    severity = note_if_solved(severity, figures, memory)
    return Symptoms.of_layers(
        values,
        severity,
        *_COLLAPSED,
        limits=limits,
        source="Zhai et al. 2023: low attention entropy goes with unstable training; limit ours",
        lasting=_LOOKS,
        cause=np.where(was_open, 1, np.where(by_inputs == 1, 2, 0)),
        falling=True,
    )


def _has_usual_weights(figures: Figures, roles: Roles) -> Flags:
    """Of each layer that attends, whether some matrices below its module are known at step 0, none
    of them is large, and its logits are divided as is usual, [layers].
    """
    gains = np.square(figures["weight_rms"][0].astype(np.float64)) * roles.fan_in
    usual: Flags = np.abs(figures["attention_scale"][0] - 1) < _USUAL_SCALE
    for place in np.flatnonzero(usual).tolist():
        inside = roles.layers[place].path + "."
        beside = [(each.path + ".").startswith(inside) for each in roles.layers]
        known = gains[beside][~np.isnan(gains[beside])]
        usual[place] = len(known) > 0 and (known < LARGEST_GAIN).all()
    return usual


@rule_with_memory("attention_logit_growth")
def attention_logit_growth(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Largest logit of any head, where it is ten times what it was at the first look, and more."""
    values = figures["attention_logit"]
    first = memory.of_layers("first")[0]
    known = ~np.isnan(values)
    new = np.isnan(first) & known.any(axis=0)
    first[new] = values[known.argmax(axis=0), np.arange(values.shape[1])][new]
    limits = (
        thresholds.attention_logit,
        thresholds.attention_logit_bad,
        thresholds.attention_logit_critical,
    )
    severity = graded(values, limits)
    if severity is not None:
        severity[~(values > _GROWN * np.fmax(first, 1))] = 0
    severity = note_if_solved(severity, figures, memory)
    return Symptoms.of_layers(
        values,
        severity,
        _GROWING,
        limits=limits,
        source="Wortsman et al. 2023, section 3.4: runs above 1e4 diverged; Kimi K2 (2025) "
        "clips at 100",
        lasting=_LOOKS,
    )


@rule_with_memory("attention_uniform")
def attention_uniform(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Entropy of the head that has the lowest, from step `patience` on: above the limit no head of
    the layer chooses between tokens.
    """
    values = figures["attention_entropy_lowest"].copy()
    values[figures.steps < thresholds.patience] = np.nan
    limits = (thresholds.attention_uniform, thresholds.attention_uniform, np.nan)
    severity = graded(values, limits)
    can = ~(figures["attention_scale"] < _SMALL_SCALE)
    learned = has_learned(figures, memory)[:, np.newaxis]  # at each block: it remembers
    if severity is not None:
        severity[can | learned] = np.minimum(severity[can | learned], 1)
        severity[can & learned] = 0
    return Symptoms.of_layers(
        values,
        severity,
        *_UNIFORM,
        limits=limits,
        source="Dong et al. 2021, Noci et al. 2022: what attends uniformly makes tokens alike; "
        "limit ours",
        lasting=_LOOKS,
        cause=can,
    )
