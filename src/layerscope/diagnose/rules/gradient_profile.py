"""Vanishing and exploding gradient: what is left of the gradient at the first layer.

The limits of fading: 0.1 is what one layer of the notebook's "small" init leaves; ten layers of the
course's example, 0.7 each, leave 0.03. With plain SGD the first layer then moves by that share of
what the last does. Growth is judged by larger factors: a healthy GPT has 120, because its
embeddings are small before a normalisation.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Flags, Series, Values
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.questions.pace import has_moved_far
from layerscope.diagnose.questions.profile import Profile, culprits, profile_of
from layerscope.diagnose.questions.simple_network import dies_by_chance
from layerscope.diagnose.questions.solved import beats_chance, has_learned, note_if_solved
from layerscope.diagnose.symptoms import Limits, graded


def _against_fading(facts: LayerFacts) -> str:
    if facts.nonlinearity in ("sigmoid", "hardsigmoid"):
        return "model.activation=tanh init=xavier: a sigmoid's slope is 0.25 at most"
    return "init=kaiming or init=orthogonal: weights of variance 1 / fan_in or more; or a residual"


_USUAL = -3.0
"""log10 of update / weight: Karpathy, nn-zero-to-hero, lecture 3, and CS231n want about that."""

_ALIKE = 0.2
"""Step of the first layer / that of the layer with the largest: Adam's are all about as large as
the learning rate, and those of plain gradient descent fade as the gradient does."""

_MILD, _LONG = 0.5, 10
"""Times the limit of a warning, and times `patience`: layers that learn twenty times more slowly
than the last need as many more steps to show whether that is a trouble."""

_GATED = ("LSTM", "GRU", "LSTMCell", "GRUCell")

_FADED_FROM_THE_START = Advice(
    "{value:.2g} of the gradient is left at the first layer (limit {threshold:g}); {layer} is the "
    "first that does not pass it on",
    _against_fading,
)
_FADED_LATER = Advice(
    "{value:.2g} of the gradient is left at the first layer (limit {threshold:g}), less than at "
    "the start; {layer} is the first that does not pass it on",
    "optimizer.lr a tenth of what it is, or a warm-up of it, since it began well; or a residual "
    "connection or a normalisation",
)


@lru_cache(maxsize=1)
def _faded(first: str) -> tuple[Advice, Advice]:
    """The words."""
    narrow = replace(_FADED_FROM_THE_START, remedy=lambda facts: first + _against_fading(facts))
    return narrow if first else _FADED_FROM_THE_START, _FADED_LATER


_GROWN = Advice(
    "the gradient grows by a factor of {value:.3g} toward the input (limit {threshold:g}); {layer} "
    "is the first that enlarges it",
    "init=xavier or init=orthogonal: weights of variance 1 / fan_in; or a normalisation",
)


@rule_with_memory("vanishing_gradient")
def vanishing_gradient(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """From end to end, the gradient that is left at the first layer; see `Profile.faded`."""
    t = thresholds
    limits = (t.vanishing_end_to_end, t.vanishing_bad, t.vanishing_critical)
    profile = profile_of(figures, memory.roles)
    advice = _faded(dies_by_chance(memory.roles))
    symptoms = _symptoms(figures, profile, limits, advice, t.lasting, faded=True)
    if symptoms.severity is not None:
        gated = [facts.module in _GATED for facts in figures.layers]
        symptoms.severity[(symptoms.severity == 2) & np.array(gated)] = 1
    note_if_solved(symptoms.severity, figures, memory)
    waits = (figures.steps < t.patience) | beats_chance(figures, memory)
    harmless = waits & _first_moves(figures, memory, t.update_slow)
    mild = (profile.faded > _MILD * t.vanishing_bad) & (figures.steps < _LONG * t.patience)
    harmless |= mild | has_learned(figures, memory)
    if symptoms.severity is not None and _began_at_zero(figures, memory):
        np.minimum(symptoms.severity, 1, out=symptoms.severity)
    if symptoms.severity is not None and harmless.any():
        so_far = symptoms.severity[harmless]
        symptoms.severity[harmless] = np.where(so_far == 2, 1, so_far)
    so = (profile.faded < t.vanishing_bad) & ~mild
    faded_since, by_steps = _since(profile.faded, so, t, figures, memory)
    if symptoms.severity is None or not (symptoms.severity > 1).any():
        return symptoms
    # It was so before that was a trouble; a note begins by itself.
    began = np.where(
        symptoms.severity > 1, faded_since[:, np.newaxis], figures.steps[:, np.newaxis]
    )
    later = (symptoms.severity > 1) & ((began > t.warm_up) | by_steps[:, np.newaxis])
    return symptoms._replace(since=began.astype(np.int64), cause=later.astype(np.int8))


def _began_at_zero(figures: Figures, memory: Memory) -> bool:
    """Whether a layer of the trunk had weights of 0 before the first step, and one before it had
    not: what lies before it gets no gradient then, and little until those weights have grown.
    """
    began = memory.of_run("began_at_zero")
    if figures.steps[0] == 0:
        sizes = figures["weight_rms"][0, memory.roles.trunk]
        zero = np.flatnonzero(sizes == 0)
        began[0] = bool(zero.size) and (sizes[: zero.max(initial=0)] > 0).any()
    return bool(began[0] == 1)


def _since(
    faded: Values, so: Flags, t: Thresholds, figures: Figures, memory: Memory
) -> tuple[Series, Flags]:
    """The step since which it is `so` without a break, [steps]; NaN where it is not. And whether
    until then the steps had moved the weights far, in a network that began well.
    """
    running, first = memory.of_run("since", 2), memory.first("first", faded)
    far = has_moved_far(figures, memory)
    if not so.any() and np.isnan(running[0]):
        return np.full(len(so), np.nan), np.zeros(len(so), bool)
    since = np.empty((len(so), 2))
    for place, step in enumerate(figures.steps.tolist()):
        if so[place]:
            running[:] = (step, far[place]) if np.isnan(running[0]) else running
        elif not np.isnan(faded[place]):
            running[:] = np.nan
        since[place] = running
    return since[:, 0], (since[:, 1] == 1) & (first > t.vanishing_end_to_end)


def _first_moves(figures: Figures, memory: Memory, slow: float) -> Flags:
    """Whether the first layer that is trained took steps of the usual size when last measured; or,
    above `slow`, not far smaller ones than the layer with the largest, [steps].
    """
    trained = np.flatnonzero(memory.roles.only("trained") == 1)
    if not len(trained):
        return np.zeros(len(figures.steps), bool)
    ratios = figures["update_to_weight"][:, trained].astype(np.float64)
    first = np.argmin(memory.roles.rank[trained])
    sizes = ratios * figures["weight_rms"][:, trained]
    share = memory.known("share", sizes[:, first] / np.fmax.reduce(sizes, axis=1))
    own = np.log10(memory.known("own", ratios[:, first]))
    return (own > _USUAL) | ((own > slow) & (share > _ALIKE))


@rule_with_memory("exploding_gradient")
def exploding_gradient(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """From end to end, how much larger the gradient is at the first layer; see `Profile.grown`."""
    t = thresholds
    limits = (t.exploding_end_to_end, t.exploding_bad, t.exploding_critical)
    profile = profile_of(figures, memory.roles)
    symptoms = _symptoms(figures, profile, limits, (_GROWN,), t.lasting, faded=False)
    return _held(symptoms, ~memory.loss_curve.of(figures).finite, memory)


def _held(symptoms: Symptoms, is_lost: Flags, memory: Memory) -> Symptoms:
    """The symptoms with the last known ones in steps where nothing is known as all is lost."""
    last = memory.of_layers("last")[0]
    unknown = np.logical_and.reduce(np.isnan(symptoms.values), axis=1)
    if symptoms.severity is None and not (is_lost & unknown).any():
        last[:] = np.where(unknown.all(), last, 0)
        return symptoms
    severity = np.zeros(symptoms.values.shape, np.int8)
    severity[:] = 0 if symptoms.severity is None else symptoms.severity
    for row in np.flatnonzero(~unknown | is_lost).tolist():
        if unknown[row]:
            severity[row] = np.nan_to_num(last)
        last[:] = severity[row]
    return symptoms._replace(severity=severity if severity.any() else None)


def _symptoms(
    figures: Figures,
    profile: Profile,
    limits: Limits,
    advice: tuple[Advice, ...],
    lasting: int,
    *,
    faded: bool,
) -> Symptoms:
    end_to_end = profile.faded if faded else profile.grown
    of_steps = graded(end_to_end, limits, falling=faded)
    values = np.repeat(end_to_end[:, np.newaxis], len(figures.layers), axis=1)
    severity = None
    if of_steps is not None:
        severity = np.zeros(values.shape, np.int8)
        rows = np.flatnonzero(of_steps)
        found = culprits(profile, rows, faded=faded)
        severity[np.ix_(rows, profile.chain)] = np.where(found, of_steps[rows, np.newaxis], 0)
    source = "Glorot and Bengio 2010; Schoenholz et al. 2017; the course's 0.7 a layer"
    return Symptoms(values, severity, limits, advice, source, lasting, falling=faded)
