"""A recurrent layer that forgets at each step what it knew before."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.questions.solved import has_learned

_NEARLY_ALL = 0.9
_LASTS = 2


@rule_with_memory("gates_shut")
def gates_shut(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """Share of the values of a gate that are below 0.1, of gates that a state is kept by, where it
    was so from the first step on: what a network learns to forget, it had known.
    """
    # What a state is multiplied with: an LSTM's forget gate, a GRU's update gate as torch has it.
    gates = [facts.name.rpartition("/")[2] for facts in memory.roles.layers]
    keeps = np.array([gate.startswith(("forget", "update")) for gate in gates])
    values = figures["gate_shut"].astype(np.float64)
    values[:, ~keeps] = np.nan
    known = ~np.isnan(values)
    if not known.any():
        return Symptoms(values)
    begun = memory.of_layers("begun")[0]  # whether it has been so at each look so far
    for row in np.flatnonzero(known.any(1)).tolist():
        shut = np.where(values[row] > _NEARLY_ALL, 1.0, 0.0)
        before = np.where(np.isnan(begun), 1.0, begun)
        begun[:] = np.where(known[row], np.fmin(before, shut), begun)
        values[row] = np.where(known[row], np.where(begun == 1, values[row], 0.0), np.nan)
    severity = np.where(values > 0, np.where(has_learned(figures, memory), 1, 2)[:, np.newaxis], 0)
    return Symptoms.of_layers(
        values,
        severity,
        Advice(
            "{value:.0%} of the values of {layer} have been below 0.1 since the first step (limit "
            "{threshold:.0%}): at each step of a sequence the layer forgets what it knew, and the "
            "gradient goes no further back",
            "that gate's bias at 1 or so (torch's LSTM: the second quarter of bias_ih_l0; its GRU: "
            "the second third), or torch's own initialization",
        ),
        limits=(_NEARLY_ALL, _NEARLY_ALL, np.nan),
        source="Jozefowicz et al. 2015, An Empirical Exploration of Recurrent Network "
        "Architectures, section 2.3: a forget bias of 1",
        lasting=_LASTS,
    )
