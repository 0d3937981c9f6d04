"""Saturated: outputs at the flat ends of their function, where hardly any gradient gets through."""

from functools import lru_cache

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Flags, Series, Values
from layerscope.diagnose.measured.last_known import note_first
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.roles import GATES, LARGEST_GAIN, Roles
from layerscope.diagnose.questions.loss_terms import note_if_baseline
from layerscope.diagnose.questions.solved import has_learned, note_if_solved
from layerscope.diagnose.symptoms import graded


def _at_the_start(facts: LayerFacts) -> str:
    if facts.nonlinearity == "softmax":
        return (
            "smaller values before the softmax: products of vectors divided by the square root of "
            "their length, and inputs of about 1 to the layer before it"
        )
    return "init=xavier: weights of variance 1 / fan_in; and inputs of about 1 to the layer"


def _smaller_inputs(facts: LayerFacts) -> str:
    return (
        f"smaller inputs to {facts.name}, whose weights are of a usual size: scale the data, or a "
        "normalisation before it; and biases of 0"
    )


def _a_little_at_the_start(facts: LayerFacts) -> str:
    if facts.nonlinearity in ("tanh", "hardtanh"):
        return "smaller weights, or smaller inputs; init=xavier has weights of variance 1 / fan_in"
    return _at_the_start(facts)


_EVER_SINCE, _LATER, _A_LITTLE_EVER_SINCE, _BY_INPUTS = range(4)


@lru_cache(maxsize=1)
def _advice(t: Thresholds) -> tuple[Advice, ...]:
    """Of a layer that has been saturated ever since the first step, of one that became so, of one
    of which that has been a note ever since, and of one whose weights are not what makes it so.
    """
    from_the_start = (
        "{value:.1%} of the outputs of {layer} are saturated from the start on "
        "(limit {threshold:.0%})"
    )
    return (
        Advice(from_the_start, _at_the_start),
        Advice(
            "{value:.1%} of the outputs of {layer} are saturated, and were not before "
            "(limit {threshold:.0%})",
            "a smaller optimizer.lr, or a larger optimizer.weight_decay, which keeps weights small",
            (t.saturated_healthy, t.saturated_trained, t.saturated_critical),
        ),
        Advice(from_the_start, _a_little_at_the_start),
        Advice(from_the_start, _smaller_inputs),
    )


@rule_with_memory("saturated")
def saturated(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of outputs where the function's own derivative is small; of a softmax over n, of
    samples with one output near 1, less 1 / n: the first token of a causal sequence has nothing
    else to look at.
    """
    t = thresholds
    roles = memory.roles
    values = figures["saturated"] * roles.only("function")
    gradients = ~np.isnan(figures["activation_grad_rms"])  # where others get one, none was wanted
    values[gradients.any(axis=1, keepdims=True) & ~gradients] = np.nan
    if softmax := roles.named("softmax"):
        mean = figures["activation_mean"][:, softmax]  # 1 / n, since its outputs sum to 1
        values[:, softmax] = values[:, softmax] / mean - mean
    limits = (t.saturated_healthy, t.saturated_bad, t.saturated_critical)
    severity = graded(values, limits)
    opened, free = memory.of_layers("opened")[0], memory.of_layers("free")[0]
    sizes = memory.of_layers("sizes")[0]
    before = ~np.isnan(sizes)
    note_first(figures["weight_rms"], sizes)
    note_if_baseline(severity, figures, memory)
    if severity is None:
        note_if_solved(severity, figures, memory)
        measured = ~np.isnan(values).all(axis=0)
        opened[measured] = free[measured] = 1
        return Symptoms(values)
    ever_since = _ever_since(values, t.saturated_bad, opened)
    may_be = t.saturated_trained + _by_chance(t.saturated_trained, figures["units"], softmax)
    severity[(severity == 2) & ~ever_since & (values <= may_be)] = 1
    gates = roles.named(*GATES)
    severity[:, gates] = np.minimum(severity[:, gates], np.where(ever_since[:, gates], 3, 1))
    severity = note_if_solved(severity, figures, memory)
    assert severity is not None
    meant = has_learned(figures, memory)[:, np.newaxis] & ~ever_since
    meant |= _was_trained(sizes, roles)
    severity[meant] = np.minimum(severity[meant], 1)
    a_little = _ever_since(values, t.saturated_healthy, free) & (severity == 1)
    begun = np.where(a_little, _A_LITTLE_EVER_SINCE, _LATER)
    sized = np.logical_or.accumulate(~np.isnan(figures["weight_rms"]), axis=0) | before
    usual = np.square(sizes) * roles.fan_in < LARGEST_GAIN  # as Kaiming's, or smaller
    from_the_start = np.where(sized & usual, _BY_INPUTS, _EVER_SINCE)
    cause = np.where(ever_since, from_the_start, begun).astype(np.int8)
    return Symptoms(values, severity, limits, _advice(t), _SOURCE, t.lasting, cause)


def _was_trained(sizes: Series, roles: Roles) -> bool:
    """Whether normalisations have weights at the start that differ, and not by chance from 1.

    Args:
        sizes: RMS of the weights at the start, [layers].
    """
    own = sizes[[place for place, facts in enumerate(roles.layers) if "Norm" in facts.module]]
    own = own[own > 0]  # a branch's last may begin at 0
    return len(set(own.tolist())) > 1 and bool(np.median(np.abs(own - 1)) > _MOVED)


def _ever_since(values: Values, limit: float, opened: Series) -> Flags:
    """Whether a layer has been beyond the limit in every step up to each, bool [steps, layers].

    Args:
        values: [steps, layers]; NaN is neither beyond nor below.
        opened: NaN for layers that have been so in every step before; afterwards, of this block.
    """
    ever: Flags = np.logical_and.accumulate(~(values <= limit), axis=0)
    ever &= np.isnan(opened)
    opened[~ever[-1]] = 1
    return ever


def _by_chance(share: float, units: Values, softmax: list[int]) -> Values:
    """How far beyond a share one in twenty layers of that share is, [steps, layers]; 0 where the
    units are not known, and of a softmax, whose figure is one of samples.
    """
    known = np.where(units > 0, units, np.inf)
    known[:, softmax] = np.inf
    return _ONE_IN_TWENTY * np.sqrt(share * (1 - share) / known)


_MOVED = 0.005
"""Those that are drawn, with a standard deviation of 0.02 (Radford et al. 2016, DCGAN), have an RMS
that is nearer to 1."""

_ONE_IN_TWENTY = 1.645
"""Standard deviations of a normal distribution."""

_SOURCE = "the course, day 11, part II: saturated < 5% is healthy, > 20% bad"
