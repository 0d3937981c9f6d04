"""Layers that were meant to be frozen, and are trained."""

import numpy as np

from layerscope.diagnose import Figures, Memory, Symptoms, Thresholds, rule_with_memory


@rule_with_memory("not_frozen")
def not_frozen(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """1 for a layer whose parameters an optimizer has and trains, though somebody set
    `requires_grad = False` on its module: torch knows no such attribute of a module.
    """
    named = np.array([each.frozen_in_name is not None for each in memory.roles.layers], bool)
    return Symptoms.above(
        np.where(named, figures["owned"], np.nan),
        warning=0.0,
        explanation="{layer} is trained, though requires_grad = False was set on its module, which "
        "freezes nothing: a module has no such attribute",
        remedy="module.requires_grad_(False), with an underscore at the end, before the "
        "optimizer is made",
        source="torch.nn.Module.requires_grad_",
    )
