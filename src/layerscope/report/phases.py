"""Phase diagrams, one for each activation, with the groups as dots."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from layerscope.comparison.group import Group
from layerscope.report.packed import packed
from layerscope.theory import PhaseSummary, phase_diagram

_WEIGHTS, _BIASES = 64, 40  # points of the grid
_DEEPEST = 1e4  # layers; beyond is critical for any purpose


def phase_charts(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The diagrams of all activations that theory has predicted something for.

    Axes: sigma_w^2, logarithmic, and the standard deviation of the biases; colour: log10 of the
    depth scale in layers, positive where chaotic, negative where ordered.
    """
    phases = [(i, phase) for i, group in enumerate(groups) if (phase := _phase(group)) is not None]
    activations = dict.fromkeys(phase.activation for _, phase in phases)
    charts = []
    for activation in activations:
        dots = [(i, phase) for i, phase in phases if phase.activation == activation]
        try:
            charts.append(_chart(activation, dots))
        except ValueError:  # of another version: an activation that this one does not know
            continue
    return charts


def _phase(group: Group) -> PhaseSummary | None:
    prediction = group.typical.prediction
    phase = prediction.phase if prediction is not None else None
    if phase is None or not (phase.sigma_w2 > 0 and math.isfinite(phase.bias_variance)):
        return None
    return phase


def _chart(activation: str, dots: Sequence[tuple[int, PhaseSummary]]) -> dict[str, Any]:
    weights = [phase.sigma_w2 for _, phase in dots]
    biases = [math.sqrt(phase.bias_variance) for _, phase in dots]
    sigma_w2 = np.geomspace(min(*weights, 0.3) / 1.5, max(*weights, 6.0) * 1.5, _WEIGHTS)
    sigma_b = np.linspace(0, max(*biases, 0.3) * 1.15, _BIASES)
    diagram = phase_diagram(activation, sigma_w2, sigma_b**2)
    depth = np.log10(np.clip(diagram.depth_scale, 1e-2, _DEEPEST))
    inside = diagram.line_bias_variance <= sigma_b[-1] ** 2
    return {
        "activation": activation,
        "x": packed(np.log10(sigma_w2)),
        "y": packed(sigma_b),
        "depth": packed(depth.T, levels=255),
        "chi": packed(np.log10(np.clip(diagram.chi, 1e-4, 1e4)).T),
        "line_x": packed(np.log10(np.maximum(diagram.line_sigma_w2[inside], 1e-12))),
        "line_y": packed(np.sqrt(diagram.line_bias_variance[inside])),
        "dots": [
            {
                "group": i,
                "x": math.log10(phase.sigma_w2),
                "y": math.sqrt(phase.bias_variance),
                "chi": phase.chi if math.isfinite(phase.chi) else None,
                "verdict": phase.verdict,
                "survives": phase.survives if math.isfinite(phase.survives) else None,
            }
            for i, phase in dots
        ],
    }
