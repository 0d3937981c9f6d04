"""A layer whose weights are far larger at the start than those of all others."""

from dataclasses import replace

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Series
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.questions.median import known_median
from layerscope.diagnose.questions.recurrent import is_recurrent

_LARGE = 10.0
"""Times the root of 1 / fan_in; Kaiming's are 1.4, and torch's own 0.6."""

_FEWEST = 2
"""Layers that have weights: of one there is no other to compare it with."""

_LIMITS = (4.0, 6.0)
"""Times the same root, of the weights from state to state, without and with gates. Above 1
differences between states grow at each step. On two tasks of 16 steps, with 16 and 64 states, a
tanh learned nothing more from 3 on, a GRU less from 6 on, an LSTM nothing at 8."""

_DRAWN = 3
"""Of the figure `untrained`."""

_ADVICE = Advice(
    "the weights of {layer} are {value:.3g} times as large at the start as those that keep a "
    "signal's size (limit {threshold:g}), and ten times those of other layers: its outputs drown "
    "all that is added to them, and its gradients those of the layers before it",
    "weights of variance 1 / fan_in or 2 / fan_in in this layer: torch.nn.init.kaiming_normal_; "
    "see what else scales them, and whether they were loaded from elsewhere",
)


def _of_usual_size(facts: LayerFacts) -> str:
    name = facts.name.rpartition(".")[2]
    if facts.module.startswith("RNN"):
        return (
            f"torch.nn.init.orthogonal_ of {name}, which keeps a state's size; as torch itself "
            "draws it, about 0.58 of a state is left at each step"
        )
    states = facts.width[0] if facts.width else 0
    return (
        f"leave {name} as torch draws it, between -1 / sqrt(hidden_size) and that, here "
        f"{states**-0.5:.2g}; or torch.nn.init.orthogonal_ of each [hidden, hidden] part of it"
    )


_ADVICE_OF_STATES = Advice(
    "the weights of {layer}, from one state to the next, are {value:.3g} times as large at the "
    "start as those that keep a state's size (limit {threshold:g}): from the first steps of a "
    "sequence on its functions are at their ends, and what differs by chance grows at each step, "
    "so the last state tells little of what was read",
    _of_usual_size,
)


@rule_with_memory("large_weights")
def large_weights(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """RMS of the weights at step 0 times the root of the fan-in. Of weights from state to state, as
    they were drawn, that is their spectral radius (Girko 1985).
    """
    values = np.full((len(figures.steps), len(figures.layers)), np.nan)
    if figures.steps[0] != 0:
        return Symptoms(values)
    roles = memory.roles
    sizes = figures["weight_rms"][0] * np.sqrt(roles.fan_in) * roles.only("trained")
    limits = _limits_of_states(roles)
    of_states = ~np.isnan(limits) & (figures["untrained"][0] == _DRAWN)
    several = (~np.isnan(sizes)).sum() >= _FEWEST
    usual = float(known_median(sizes[np.newaxis], axis=1)[0]) if several else np.inf
    values[0] = sizes * np.where(of_states, 1, _judged(roles))
    ill = (values > _LARGE) & (values > _LARGE * usual) & ~of_states
    ill |= of_states & (values > limits)
    return Symptoms.of_layers(
        values,
        np.where(ill, 2, 0),
        _ADVICE,
        *(replace(_ADVICE_OF_STATES, limits=(np.nan, each, np.nan)) for each in _LIMITS),
        limits=(np.nan, _LARGE, np.nan),
        source="He et al. 2015: a variance of 2 / fan_in keeps the size of a signal; Sompolinsky "
        "et al. 1988, Chaos in Random Neural Networks: above 1 recurrent states are chaotic",
        cause=np.where(of_states, 1 + (limits == _LIMITS[1]), 0)[np.newaxis] * np.ones_like(ill),
    )


def _limits_of_states(roles: Roles) -> Series:
    """Of weights from state to state the limit, NaN of all other layers, [layers]."""
    of_states = (".weight_hh" in each.name and is_recurrent(each) for each in roles.layers)
    return np.array(
        [
            _LIMITS[not each.module.startswith("RNN")] if is_one else np.nan
            for each, is_one in zip(roles.layers, of_states, strict=True)
        ]
    )


def _judged(roles: Roles) -> Series:
    """1 for the layers that are judged, NaN for those that are only compared with, [layers]."""
    mask = np.ones(len(roles.layers))
    bounded = {facts.order - bool(not facts.weights) for facts in roles.layers if facts.bounds}
    for place, facts in enumerate(roles.layers):
        skipped = place == roles.last or place in roles.feeds_normalization
        if skipped or facts.order in bounded or "Norm" in facts.module or facts.order < 0:
            mask[place] = np.nan
    return mask
