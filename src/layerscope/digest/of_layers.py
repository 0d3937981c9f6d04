"""The layers of a run, those most worth a look first, each by its first and last figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from layerscope.diagnose import SEVERITIES
from layerscope.diagnose.measured.figures import Array, Figures
from layerscope.digest.bounded import Texts, number

FIRST_AND_LAST = (
    *("activation_mean", "activation_std", "activation_nonfinite", "saturated", "zeros"),
    *("activation_grad_rms", "weight_grad_rms", "weight_grad_nonfinite", "weight_rms"),
    *("update_to_weight", "units", "dead_units", "unit_spread"),
    *("stream_rms", "branch_to_stream", "outlier_share"),
    *("attention_logit", "attention_entropy", "attention_entropy_lowest", "attention_one_token"),
    *("expert_load", "experts_unused", "gate_shut", "gate_open"),
)
"""The layer figures of a digest; layerscope.diagnose.measured.figure_names says what each is."""

_FINDINGS = 8  # names of rules beside a layer
_USUAL_UPDATE = -3.0  # log10 of update / weight
_DECADES = 3.0  # that far from the usual counts as much as all units dead


def of_layers(
    figures: Figures, findings: Sequence[Mapping[str, Any]], texts: Texts
) -> list[dict[str, Any]]:
    """An entry for each layer; figures that were never known are left out.

    First those that findings name, the worst first; then the others, by how far the last of their
    figures are from the usual: shares of saturated and dead units, the update against 10^-3 of
    the weights, the gradient against that of the median layer.

    Args:
        figures: of at least one step.
        findings: in the order of telling, as diagnosis.json has them.
        texts: cuts names that are too long.
    """
    first = {name: _known(figures[name]) for name in FIRST_AND_LAST}
    last = {name: _known(figures[name][::-1]) for name in FIRST_AND_LAST}
    named: dict[str, list[str]] = {}
    severity: dict[str, int] = {}
    for finding in findings:
        for layer in dict.fromkeys([finding["layer"], *finding.get("layer_names", ())]):
            named.setdefault(layer, []).append(finding["rule"])
            level = SEVERITIES.index(finding["severity"]) + 1
            severity[layer] = max(severity.get(layer, 0), level)
    unusual = _unusual(last)
    names = [facts.name for facts in figures.layers]
    order = sorted(
        range(len(names)), key=lambda i: (-severity.get(names[i], 0), -float(unusual[i]), i)
    )
    return [
        {
            "layer": texts.short(names[i]),
            "module": texts.short(figures.layers[i].module),
            "findings": [texts.short(rule) for rule in named.get(names[i], ())[:_FINDINGS]],
            "further_findings": max(len(named.get(names[i], ())) - _FINDINGS, 0),
            "first": _entry(first, i),
            "last": _entry(last, i),
        }
        for i in order
    ]


def _known(values: Array) -> Array:
    """The first value of each layer that is not NaN; NaN if none is, [layers]."""
    known = ~np.isnan(values)
    at: Array = values[known.argmax(axis=0), np.arange(values.shape[1])]
    return at


def _entry(figures: Mapping[str, Array], layer: int) -> dict[str, Any]:
    of_layer = {name: float(values[layer]) for name, values in figures.items()}
    return {name: number(value) for name, value in of_layer.items() if value == value}


def _unusual(last: Mapping[str, Array]) -> npt.NDArray[np.float64]:
    """How far each layer is from the usual, [layers]: 0 and more; infinite if it is not finite."""
    with np.errstate(all="ignore"):
        gradient = np.log10(last["activation_grad_rms"].astype(np.float64))
        known = gradient[np.isfinite(gradient)]
        usual = np.median(known) if len(known) else np.nan
        scores = [
            last["saturated"],
            last["dead_units"] / last["units"],
            np.abs(np.log10(last["update_to_weight"]) - _USUAL_UPDATE) / _DECADES,
            np.abs(gradient - usual) / _DECADES,
        ]
    nonfinite = np.fmax(last["activation_nonfinite"], last["weight_grad_nonfinite"]) > 0
    score = np.fmax.reduce([np.zeros(len(nonfinite)), *scores])
    return np.where(nonfinite, np.inf, score)
