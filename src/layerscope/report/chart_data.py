"""The numbers behind the charts: one object for the page, shared by all charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from layerscope.comparison import Comparison
from layerscope.comparison.group import Group
from layerscope.comparison.run import LOSSES, Run
from layerscope.report.curves import band, line
from layerscope.report.layer_charts import gradient_profile, heatmaps, histograms
from layerscope.report.looks import Look
from layerscope.report.phases import phase_charts

DETAILED = 36
"""Runs whose heat-maps and histograms are in the page, at most: more would make it too large."""


_QUANTITIES = {
    "activation": "activations",
    "activation_grad_log10": "log10 |activation gradient|",
    "weight_grad_log10": "log10 |weight gradient|",
}


def chart_data(comparison: Comparison, looks: Sequence[Look]) -> dict[str, Any]:
    """Everything that report.js draws, as plain types; `sections` says which charts there are."""
    groups = comparison.groups
    detailed = _detailed(comparison)
    healthy, sick = _extremes(groups, looks, detailed)
    data: dict[str, Any] = {
        "loss": comparison.loss,
        "groups": [
            {
                "label": group.label,
                "colour": look.colour,
                "name": look.name,
                "facet": look.facet,
                "bands": {tag: found for tag in LOSSES if (found := band(group, tag)) is not None},
            }
            for group, look in zip(groups, looks, strict=True)
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
        "healthy": healthy,
        "sick": sick,
    }
    layers = [run["layers"] for run in data["runs"] if run["layers"]]
    data["sections"] = {
        "histograms": any(each["histograms"]["quantities"] for each in layers),
        "gradients": any(run["profile"] for run in data["runs"]),
        "predicted": any(run["profile"] and run["profile"]["predicted"] for run in data["runs"]),
        "heatmaps": any(each["heatmaps"] and each["heatmaps"]["maps"] for each in layers),
        "curves": any(run["curves"] for run in data["runs"]),
        "phases": bool(data["phases"]),
        "tags": [(tag, tag) for tag in LOSSES if any(tag in run["curves"] for run in data["runs"])],
        "quantities": [
            (quantity, text)
            for quantity, text in _QUANTITIES.items()
            if any(quantity in each["histograms"]["quantities"] for each in layers)
        ],
        "two": sick is not None,
        "detailed": len(layers),
    }
    return data


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


def _extremes(
    groups: Sequence[Group], looks: Sequence[Look], detailed: set[str]
) -> tuple[str | None, str | None]:
    """The runs that are first shown side by side: of a healthy and of the sickest group.

    The healthy one differs from the other in the coloured setting alone, if there is such a group.
    The second is None if there is only one to show.
    """
    facets = {group.label: look.facet for group, look in zip(groups, looks, strict=True)}
    known = [group for group in groups if group.typical.name in detailed]
    if not known:
        return None, None
    known.sort(key=_distance)  # of equals, the order of rank
    sick = known[-1]
    healthy = next(each for each in known if facets[each.label] == facets[sick.label])
    if healthy is sick:
        healthy = known[0]
    return healthy.typical.name, sick.typical.name if healthy is not sick else None


def _distance(group: Group) -> float:
    distance = group.median("signal_distance")
    return math.inf if math.isnan(distance) else distance
