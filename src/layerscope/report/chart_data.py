"""The numbers behind the charts: one object for the page, shared by all charts."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from layerscope.comparison import Comparison
from layerscope.comparison.group import Group
from layerscope.comparison.run import LOSSES, Run
from layerscope.events.series import ScalarSeries
from layerscope.report.group_styles import Style
from layerscope.report.layer_charts import gradient_profile, heatmaps, histograms
from layerscope.report.packed import packed
from layerscope.report.side_by_side import SIDES, selections
from layerscope.theory import PhaseSummary, phase_diagram

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
        "unit": ", nats" if all(run.in_nats for run in comparison.runs if run.losses) else "",
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


POINTS = 300
"""So many at most in a line: more than a chart has pixels for, at its usual width, in pairs."""

_BAND_POINTS = 100

Floats = npt.NDArray[np.float64]


def line(series: ScalarSeries) -> dict[str, Any]:
    """A seed's curve; of longer ones the smallest and the largest value of each bin of steps."""
    steps, values = series.steps.astype(np.float64), series.values
    if len(steps) > POINTS:
        bins = np.array_split(np.arange(len(steps)), POINTS // 2)
        finite = np.where(np.isfinite(values), values, 0)
        kept = [extreme for each in bins for extreme in _extremes(each, finite)]
        steps, values = steps[kept], values[kept]
    return {"x": packed(steps), "y": packed(values)}


def band(group: Group, tag: str) -> dict[str, Any] | None:
    """The median over a group's seeds, and their range; None for a tag that no run has."""
    known = [run.losses[tag] for run in group.runs if tag in run.losses]
    known = [series for series in known if len(series.steps)]
    if not known:
        return None
    binned = [_binned(series) for series in known]
    grid = np.unique(np.concatenate([steps for steps, _ in binned]))
    if len(grid) > 2 * _BAND_POINTS:
        grid = np.linspace(grid[0], grid[-1], _BAND_POINTS)
    rows = np.stack([np.interp(grid, *each, left=np.nan, right=np.nan) for each in binned])
    with warnings.catch_warnings():  # where no seed has a value NaN says it
        warnings.simplefilter("ignore", RuntimeWarning)
        median, low, high = (f(rows, axis=0) for f in (np.nanmedian, np.nanmin, np.nanmax))
    return {
        "x": packed(grid),
        "median": packed(median),
        "low": packed(low),
        "high": packed(high),
        "count": len(known),
    }


def _binned(series: ScalarSeries) -> tuple[Floats, Floats]:
    """Means over bins of steps, where there are many: a batch's noise is no spread of seeds."""
    steps, values = series.steps.astype(np.float64), series.values
    if len(steps) <= _BAND_POINTS:
        return steps, values
    bins = np.array_split(np.arange(len(steps)), _BAND_POINTS)
    return np.array([steps[b].mean() for b in bins]), np.array([values[b].mean() for b in bins])


def _extremes(places: npt.NDArray[np.intp], values: Floats) -> Sequence[int]:
    both = places[np.argmin(values[places])], places[np.argmax(values[places])]
    return sorted({int(place) for place in both})


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
