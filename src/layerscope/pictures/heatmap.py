"""A whole run in one picture: layers by steps, one map for each risk."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from layerscope.diagnose.measured.figures import Figures
from layerscope.pictures.picture import INK, NOTHING, dress, new_picture, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 200
"""Steps beyond this are binned: as many columns as a panel has room for."""

_MOST_NAMES = 16  # of the rows in a panel; beyond it every n-th is named
_LONGEST_NAME = 20  # characters; the middle of a longer one is left out

Map = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Panel:
    """One map: what it shows, in which range at least, and where its scale is marked."""

    title: str
    unit: str
    least: tuple[float, float] | None
    marks: tuple[float, ...]
    mark_label: str


_PANELS = {
    "saturated": _Panel(
        "Saturated outputs", "share of outputs", (0.0, 0.25), (0.05, 0.20), "{:.0%}"
    ),
    "gradient": _Panel("Activation gradient", "log₁₀ RMS of d loss / d activation", None, (), ""),
    "dead": _Panel("Dead units", "share of units", (0.0, 0.25), (), "{:.0%}"),
    "update": _Panel(
        "Update to weight", "log₁₀ RMS(update) / RMS(weight)", (-4.0, -2.0), (-3.0,), "{:g}"
    ),
}


def heatmap_picture(figures: Figures) -> Figure:
    """Draw saturated share, gradient, dead share and update to weight of every layer in every step.

    Rows are the layers that have any of them, the first on top. A column is a step or, beyond
    `MOST_COLUMNS` steps, the median over as many as fit; it reaches to the next one that was
    measured, as updates are measured now and then. Grey was not measured or has no meaning. What is
    0 under a logarithm, or infinite, has the colour of the scale's pointed end. The thresholds of
    saturation, healthy below 5 % and bad above 20 %, and the usual update to weight of 10^-3 are
    marked on the scales.
    """
    steps = figures.steps
    maps = {name: _map(figures, name) for name in _PANELS}
    rows = np.flatnonzero(
        np.any([~np.isnan(each).all(axis=0) for each in maps.values()], axis=0)
        if steps.size
        else np.zeros(len(figures.layers), bool)
    )
    names = [_short(figures.layers[row].name) for row in rows]
    span = f", steps {steps[0]} to {steps[-1]}" if len(steps) > 1 else ""
    figure = new_picture(f"Every layer over the run{span} (grey: nothing to measure)", height=640)
    for axes, (name, panel) in zip(figure.subplots(2, 2).flat, _PANELS.items(), strict=True):
        dress(axes, panel.title, "step", "")
        kept = ~np.isnan(maps[name]).all(axis=1)
        if not kept.any():
            axes.set_axis_off()
            say(axes, "not measured in this run")
            continue
        end = int(steps[-1]) + 1
        _draw(axes, *binned(steps[kept], maps[name][kept][:, rows], end), names, panel)
    return figure


def binned(steps: NDArray[np.int64], values: Map, end: int) -> tuple[NDArray[np.int64], Map]:
    """Return the edges of at most `MOST_COLUMNS` columns, [n + 1], and their medians, [n, layers].

    Args:
        steps: that were measured, ascending, [steps].
        values: [steps, layers]; NaN where there is none, which a median passes over.
        end: where the last column ends.
    """
    count = min(len(steps), MOST_COLUMNS)
    firsts = np.arange(count) * len(steps) // count
    with warnings.catch_warnings():  # a column in which a layer was never measured is NaN
        warnings.simplefilter("ignore", RuntimeWarning)
        medians = np.array([np.nanmedian(part, axis=0) for part in np.split(values, firsts[1:])])
    return np.append(steps[firsts], end), medians


def _map(figures: Figures, name: str) -> Map:
    """What a panel shows, [steps, layers]: -inf where it is the logarithm of 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        match name:
            case "saturated":
                return figures["saturated"].astype(np.float64)
            case "gradient":
                return np.log10(figures["activation_grad_rms"].astype(np.float64))
            case "dead":
                return figures["dead_units"].astype(np.float64) / figures["units"]
            case _:
                return np.log10(figures["update_to_weight"].astype(np.float64))


def _draw(
    axes: Axes, edges: NDArray[np.int64], values: Map, names: list[str], panel: _Panel
) -> None:
    import matplotlib
    from matplotlib.ticker import MaxNLocator

    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if panel.least is not None:
        low, high = min(low, panel.least[0]), max(high, panel.least[1])
    if high - low < 1e-6:  # one colour needs a range around it
        low, high = low - 0.5, high + 0.5
    below, above = bool((values < low).any()), bool((values > high).any())
    values = np.clip(values, low - 1, high + 1)  # drawn as beyond the scale; infinity would be grey
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max"}
    mesh = axes.pcolormesh(
        edges, np.arange(len(names) + 1) - 0.5, values.T,
        cmap=matplotlib.colormaps["viridis"].with_extremes(
            bad=NOTHING, under="#000000", over=matplotlib.colormaps["viridis"](1.0)
        ),
        vmin=low, vmax=high, rasterized=True,
    )  # fmt: skip
    axes.set_facecolor(NOTHING)
    axes.set_ylim(len(names) - 0.5, -0.5)
    thin = -(-len(names) // _MOST_NAMES)
    axes.set_yticks(range(0, len(names), thin), names[::thin], fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    bar = axes.figure.colorbar(
        mesh, ax=axes, extend=extend.get((below, above), "both"), pad=0.015, aspect=14
    )
    bar.set_label(panel.unit, fontsize=8.5, color=INK)
    bar.ax.tick_params(labelsize=8, colors=INK)
    for mark in panel.marks:
        bar.ax.axhline(mark, color="white", linewidth=3)
        bar.ax.axhline(mark, color=INK, linewidth=1.4)
        bar.ax.annotate(
            panel.mark_label.format(mark), (0, mark), (-3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="right", va="center", fontsize=8, color=INK,
            bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip


def _short(name: str) -> str:
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME // 2 - 1]}…{name[-_LONGEST_NAME // 2 :]}"
