"""The numbers behind the charts: one object for the page, shared by all charts."""

from collections.abc import Sequence
from typing import Any

from layerscope.comparison import Comparison
from layerscope.comparison.run import LOSSES, Run
from layerscope.report.curves import band, line
from layerscope.report.group_styles import Style
from layerscope.report.layer_charts import gradient_profile, heatmaps, histograms
from layerscope.report.phases import phase_charts
from layerscope.report.side_by_side import SIDES, selections

DETAILED = 36
"""Runs whose heat-maps and histograms are in the page, at most: more would make it too large."""


_QUANTITIES = {
    "activation": "activations",
    "activation_grad_log10": "activation gradients",
    "weight_grad_log10": "weight gradients",
}


def chart_data(comparison: Comparison, group_styles: Sequence[Style]) -> dict[str, Any]:
    """Everything that report.js draws, as plain types; `sections` says which charts there are."""
    groups = comparison.groups
    detailed = _detailed(comparison)
    chosen = selections(groups, group_styles, detailed)
    tags = _tags(comparison)
    data: dict[str, Any] = {
        "loss": tags[0],
        "groups": [
            {
                "label": group.label,
                "colour": style.colour,
                "name": style.name,
                "facet": style.facet,
                "bands": {tag: found for tag in tags if (found := band(group, tag)) is not None},
            }
            for group, style in zip(groups, group_styles, strict=True)
        ],
        "runs": [
            {
                "name": run.name,
                "group": i,
                "seed": run.seed,
                "failed": run.failed,
                "typical": run is group.typical,
                "curves": {tag: line(series) for tag, series in run.losses.items()},
                "profile": gradient_profile(run),
                "layers": _layers(run) if run.name in detailed else None,
            }
            for i, group in enumerate(groups)
            for run in group.runs
        ],
        "phases": phase_charts(groups),
        "selections": chosen,
    }
    layers = [run["layers"] for run in data["runs"] if run["layers"]]
    data["sections"] = {
        "histograms": any(each["histograms"]["quantities"] for each in layers),
        "gradients": any(run["profile"] for run in data["runs"]),
        "predicted": any(run["profile"] and run["profile"]["predicted"] for run in data["runs"]),
        "heatmaps": any(each["heatmaps"] and each["heatmaps"]["maps"] for each in layers),
        "curves": any(run["curves"] for run in data["runs"]),
        "phases": bool(data["phases"]),
        "tags": [(tag, tag) for tag in tags],
        "quantities": [
            (quantity, text)
            for quantity, text in _QUANTITIES.items()
            if any(quantity in each["histograms"]["quantities"] for each in layers)
        ],
        "sides": SIDES[: max(min(len(layers), len(SIDES)), 1)],
        "detailed": len(layers),
    }
    return data


def _tags(comparison: Comparison) -> list[str]:
    """The losses that there are curves of, first the one to begin with: a point is no curve."""
    logged = dict.fromkeys((*LOSSES, *(tag for run in comparison.runs for tag in run.losses)))
    longest = {
        tag: max(len(run.losses[tag].steps) for run in comparison.runs if tag in run.losses)
        for tag in logged
        if any(tag in run.losses for run in comparison.runs)
    }
    return sorted(longest, key=lambda tag: longest[tag] < 2) or [comparison.loss]


def _layers(run: Run) -> dict[str, Any]:
    return {
        "histograms": histograms(run),
        "heatmaps": heatmaps(run.history) if run.history is not None else None,
    }


def _detailed(comparison: Comparison) -> set[str]:
    """Names of the runs that are shown in detail: all, or one for each group, from both ends."""
    shown = [run for run in comparison.runs if run.history is not None or run.snapshots]
    if len(shown) > DETAILED // 3:
        typical = {group.typical.name for group in comparison.groups}
        shown = [run for run in shown if run.name in typical]
    if len(shown) > DETAILED:
        shown = shown[: DETAILED // 2] + shown[-DETAILED // 2 :]
    return {run.name for run in shown}
