"""Collapsed: outputs that are the same for every sample: nothing after can tell them apart."""

from functools import lru_cache

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Flags, Values
from layerscope.diagnose.measured.last_known import last_known, note_first
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.questions.loss_terms import note_if_baseline
from layerscope.diagnose.questions.pace import has_moved_far
from layerscope.diagnose.questions.recurrent import is_recurrent
from layerscope.diagnose.rules.stalled import AT_ITS_OWN_END
from layerscope.diagnose.symptoms import A_TENTH

_OF_TORCH = (
    *("Embedding", "LayerNorm", "RMSNorm", "GroupNorm", "BatchNorm", "InstanceNorm"),
    *("SyncBatchNorm", "Bilinear", "Multihead"),
)
"""What has weights there that are neither those of a layer nor of a convolution."""


def _apart_again(facts: LayerFacts) -> str:
    if facts.nonlinearity in ("sigmoid", "hardsigmoid"):
        return (
            "model.activation=tanh init=xavier: a sigmoid's slope is 0.25 at most, and small "
            "inputs all become 0.5"
        )
    if is_recurrent(facts):  # it has forgotten what it was given
        return AT_ITS_OWN_END + "; and see that the inputs of a batch do differ"
    normalisation = "" if facts.normalizes else ", or a normalisation before it"
    return (
        f"init=orthogonal init.bias_std=0{normalisation}; and see that the inputs of a batch do "
        "differ"
    )


_NEARLY_ALIKE = (
    "from {layer} on the outputs of all samples are nearly alike: they differ by {value:.2g} of "
    "their size (limit {threshold:g})"
)


@lru_cache(maxsize=2)
def _advice(embeds: bool) -> tuple[Advice, ...]:
    """Words for a network with an embedding, or without, which gets no tokens."""
    tokens = "tokens that are all unknown or padding, " if embeds else ""
    data = (
        f"look at a batch of inputs: {tokens}a data set that always gives the same sample, an "
        "array that was never filled"
    )
    return (
        Advice(_NEARLY_ALIKE, _apart_again),
        Advice(
            "the outputs of {layer}, the first layer, are the same for all samples, to the last "
            "bit: so its inputs must be the same too",
            data,
        ),
        Advice(
            "the outputs of {layer} are the same for all samples, to the last bit, though its "
            "weights are not zero: so its inputs must be the same too",
            data + "; then at the layers before it: their units may all be dead",
        ),
        Advice(
            "all outputs of {layer} are exactly 0, though its weights and its inputs are not: "
            "from here on all samples look the same",
            "see what that module computes: in float16 the square of a number above 255 is "
            "infinite, and what is divided by the root of that is 0; x.float() before the square",
            (np.nan, 0.0, np.nan),
        ),
        Advice(
            "the outputs of {layer} are the same for all samples, to the last bit, and its weights "
            "are not zero: what is computed before it is the same for all",
            "print what that layer gets: of exp(-d**2 / (2 * width**2)) and other functions that "
            "reach no sample, widths of about the distance between samples (which grows with the "
            "root of the features); else look for units that are all dead, or a factor of 0",
        ),
        Advice(
            f"{_NEARLY_ALIKE}: at the start they differed by ten "
            "times as much or more, and steps have moved the weights far since",
            lambda facts: f"{A_TENTH}; else {_apart_again(facts)}",
        ),
    )


_BY_STEPS = 5
_BEGAN_WELL = 10.0
"""Times the limit."""


def _is_linear(place: int, sizes: Values, roles: Roles) -> Flags:
    """Whether different inputs make different outputs of a layer, as of each step: its weights, or
    those of a recurrent module, are not zero, and it has no function with an end. (A normalisation
    of one number gives the same to all.)
    """
    facts = roles.layers[place]
    if facts.bounds is not None or facts.normalizes:
        return np.zeros(len(sizes), bool)
    return _has_weights(place, sizes, roles)


def _has_weights(place: int, sizes: Values, roles: Roles) -> Flags:
    """Whether a layer has weights, and none of them are zero throughout, as of each step."""
    path = roles.layers[place].path
    of = [i for i, each in enumerate(roles.layers) if each.path == path and each.weights]
    if not of:
        return np.zeros(len(sizes), bool)
    return np.asarray((sizes[:, of] > 0).all(axis=1))


def _are_erased(figures: Figures, memory: Memory) -> Flags:
    """Where a module that is none of torch's, and has no matrix, makes exactly 0 of all that it
    gets, [steps, layers].
    """
    layers, order = memory.roles.layers, memory.roles.chain.tolist()
    erased = np.zeros(figures["zeros"].shape, bool)
    for number, place in enumerate(order):
        facts = layers[place]
        is_own = "weight" in facts.weights and facts.width is None and facts.nonlinearity is None
        if not is_own or facts.module.startswith(_OF_TORCH) or is_recurrent(facts):
            continue
        sizes = figures["weight_rms"][:, place].astype(np.float64)
        size = last_known(sizes, memory.of_run(f"size {place}"))
        was = figures["zeros"][:, order[number - 1]] if number else figures["input_rms"] == 0
        erased[:, place] = (figures["zeros"][:, place] == 1) & (size > 0) & ~(was == 1)
    return erased


@rule_with_memory("collapsed")
def collapsed(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Largest spread of a unit over the samples of a step / largest |output|.

    A linear layer whose weights are not zero gives different outputs to different inputs, but for
    rounding: where the first one's are all the same, so are the data, if all embeddings give one
    vector alone. The last one's, too, are no mean that was learned: it gets the same. Pictures are
    seen there alone, as places count as samples before.
    """
    limit = thresholds.collapsed_spread
    roles = memory.roles
    erased = _are_erased(figures, memory)
    values = figures["unit_spread"] * roles.only("varies")
    severity, cause = None, None
    sizes: Values = figures["weight_rms"]
    largest = memory.of_layers("largest")[0]
    differ = memory.known("differ", figures["input_feature_spread"]) > limit
    if len(roles.chain):  # of pictures the places of one sample differ
        place = roles.chain[0]
        rows = figures.values_of_units(place)
        differ &= ~(rows > memory.known("samples", figures["samples"]))
    differ |= np.isnan(memory.known("data", figures["input_rms"]))  # no layer gets the data
    first_spread, far = memory.of_layers("first")[0], has_moved_far(figures, memory)
    note_first(values, first_spread)
    low = values < limit
    if low.any():
        sizes = np.fmax.accumulate(np.vstack([largest, sizes]))[1:]
        one = figures["activation_count"] < 2 * figures["units"]
        zero = (figures["activation_min"] == 0) & (figures["activation_max"] == 0)
        values[low & (one | zero)] = np.nan
        in_order = np.append(roles.chain, roles.last)
        alike = ~(values[:, in_order[::-1]] >= limit)
        alike = np.logical_and.accumulate(alike, axis=1)[:, ::-1]
        severity = np.zeros(values.shape, np.int8)
        severity[:, in_order] = np.where(alike & ~np.isnan(values[:, in_order]), 2, 0)
        if len(in_order) > 1:
            alone = ~alike[:, -2] | np.isnan(values[:, in_order[-2]])
            severity[alone, roles.last] = np.minimum(severity[alone, roles.last], 1)
        by_steps = far[:, np.newaxis] & (first_spread > _BEGAN_WELL * limit)
        cause = np.where(by_steps, _BY_STEPS, 0).astype(np.int8)
        first = next((i for i in in_order.tolist() if i not in roles.embeddings), roles.last)
        embedded = figures["unit_spread"][:, roles.embeddings]
        same_tokens = (np.isnan(embedded) | (embedded == 0)).all(axis=1)
        path = roles.layers[first].path  # a recurrent layer has two outputs
        begins = [(i, 1) for i in in_order.tolist() if roles.layers[i].path == path]
        for place, words in ((roles.last, 2), *begins):
            same = (values[:, place] == 0) & _is_linear(place, sizes, roles)
            if words == 1:
                same &= same_tokens
            cause[same, place] = words
            severity[same, place] = np.where(severity[same, place] > 0, 2, 0)
            if words == 2 or not roles.embeddings:  # else it may be tokens that are the same
                cause[same & differ, place] = 4
        # The first layer that is named, by units of a ReLU that are active: as of a linear layer.
        for row in np.flatnonzero((severity > 0).any(1)).tolist():
            place = in_order[(severity[row, in_order] > 0).argmax()]
            exact = values[row, place] == 0 and figures["activation_max"][row, place] > 0
            exact &= roles.layers[place].can_die and _has_weights(place, sizes, roles)[row]
            if exact and cause[row, place] in (0, _BY_STEPS):
                cause[row, place] = 4 if differ[row] else 2
    if erased.any():
        values = np.where(erased, 0.0, values)
        severity = np.where(erased, 2, 0 if severity is None else severity).astype(np.int8)
        cause = np.where(erased, 3, 0 if cause is None else cause).astype(np.int8)
    note_if_baseline(severity, figures, memory)
    np.fmax(largest, np.fmax.reduce(sizes, axis=0), out=largest)
    return Symptoms.of_layers(
        values,
        severity,
        *_advice(bool(roles.embeddings)),
        limits=(np.nan, limit, np.nan),
        source="Schoenholz et al. 2017: in the ordered phase all inputs become alike with depth",
        lasting=thresholds.lasting,
        cause=cause,
        falling=True,
    )
