"""What a run's layers look like, for the page: gradient profiles, heat-maps and histograms."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from layerscope.comparison.history import OF_PLACES, History
from layerscope.comparison.run import Run
from layerscope.comparison.snapshots import SHOWN
from layerscope.diagnose.measured.last_known import last_known
from layerscope.report.packed import packed

HEATMAPS = ("saturated", "activation_grad_rms", "dead", "update_to_weight", *OF_PLACES)
"""The quantities that are drawn layer by step; in log10, but for the shares."""

_SHARES = ("saturated", "dead", "attention_entropy", "experts_unused", "gate_shut", "gate_open")
_EACH_STEP = ("saturated", "activation_grad_rms")
_HEATMAP_LAYERS = 60
_HISTOGRAM_LAYERS = 12

T = TypeVar("T")


def gradient_profile(run: Run) -> dict[str, Any] | None:
    """log10 RMS of d loss / d activation by hidden layer, at the start, at the end, predicted.

    Theory knows the last layer's as 1: its profile is moved to where the measured one starts.
    """
    history = run.history
    if history is None or len(history.hidden) < 2:
        return None
    hidden = history.hidden
    with np.errstate(divide="ignore", invalid="ignore"):
        start, end = (
            np.log10(of["activation_grad_rms"][hidden]) for of in (history.start, history.end)
        )
        profile = {"start": packed(start), "end": packed(end), "predicted": None}
        # Of an MLP, whose hidden layers are its first activation functions.
        depth = run.prediction.depth if run.prediction is not None else 0
        if run.prediction is not None and depth <= len(hidden) and np.isfinite(start[depth - 1]):
            predicted = np.log10(np.array(run.prediction.activation_grad))
            profile["predicted"] = packed(predicted - predicted[-1] + start[depth - 1])
    return {**profile, "layers": [history.layers[i].name for i in hidden]}


def heatmaps(history: History) -> dict[str, Any]:
    """The medians of each bin of steps; of more than 60 layers or places so many, evenly chosen."""
    reached = history.reached
    maps = {}
    for quantity in (each for each in HEATMAPS if each in history.of):
        of_quantity = history.of[quantity]
        among = reached
        if quantity in OF_PLACES:
            among = np.flatnonzero(np.isfinite(of_quantity).any(axis=0)).tolist()
        rows = evenly(among, _HEATMAP_LAYERS)
        values = of_quantity[:, rows].T.astype(np.float64)
        if quantity not in _SHARES:
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.log10(values)
        drawn = np.isfinite(values).any(axis=1)
        if drawn.any():
            maps[quantity] = {
                "layers": [history.layers[rows[i]].name for i in np.flatnonzero(drawn)],
                "z": packed(_carried(values[drawn], quantity in _EACH_STEP), levels=255),
            }
    return {"edges": packed(history.edges), "maps": maps, "of": len(reached)}


def histograms(run: Run) -> dict[str, Any]:
    """By quantity and layer: shares of 30 buckets, at each of a few steps."""
    layers = sorted({tag.partition("/")[2] for tag in run.snapshots})
    if run.history is not None:
        inner = [run.history.layers[i].name for i in run.history.hidden]
        layers = [name for name in inner if name in layers] or layers
    shown = evenly(layers, _HISTOGRAM_LAYERS)
    by_quantity: dict[str, Any] = {}
    for quantity in SHOWN:
        of = {name: run.snapshots.get(f"{quantity}/{name}") for name in shown}
        drawn = {
            name: {
                "steps": snapshot.steps.tolist(),
                "edges": packed(snapshot.edges),
                "shares": packed(snapshot.shares),
            }
            for name, snapshot in of.items()
            if snapshot is not None
        }
        if drawn:
            by_quantity[quantity] = drawn
    return {"quantities": by_quantity, "of": len(layers)}


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items: the first, the last, and others evenly between them."""
    if len(items) <= most:
        return list(items)
    return [items[i] for i in np.linspace(0, len(items) - 1, most).round().astype(int)]


def _carried(rows: npt.NDArray[np.float64], each_step: bool) -> npt.NDArray[np.float64]:
    """Fill what was measured at some steps only with the last value before.

    Args:
        each_step: whether it is measured at each: where nothing follows, nothing was finite.
    """
    known = np.where(np.isfinite(rows), rows, np.nan)
    filled = last_known(known.T, np.full(len(rows), np.nan)).T
    if each_step:
        follows = np.isfinite(known)[:, ::-1].cumsum(axis=1)[:, ::-1] > 0
        filled[~follows] = np.nan
    return filled
