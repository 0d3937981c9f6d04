"""Loss curves, thin enough for a page: each seed's line, and a band of each group."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from layerscope.comparison.group import Group
from layerscope.events.series import ScalarSeries
from layerscope.report.packed import packed

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
