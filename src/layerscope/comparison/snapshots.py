"""A run's histograms at a few steps, for a slider."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from layerscope.events.series import HistogramSeries

SHOWN = ("activation", "activation_grad_log10", "weight_grad_log10")
"""The quantities whose histograms are kept."""

STEPS = 12
"""So many steps at most: the first, the last, and between them evenly on a log scale."""


class Snapshot(NamedTuple):
    """Histograms of one tag: steps, int64 [n], and equal buckets, shares float32 [n, k].

    edges is float32 [n, 2]: the left edge of the first bucket and the right edge of the last.
    """

    steps: npt.NDArray[np.int64]
    edges: npt.NDArray[np.float32]
    shares: npt.NDArray[np.float32]


Snapshots = Mapping[str, Snapshot]


def snapshots_of(histograms: Mapping[str, HistogramSeries]) -> Snapshots:
    """Thin the histograms of all layers to the same few steps, as far as each has them.

    Those whose buckets vary in number are left out: they are not ours.
    """
    shown = {
        tag: series
        for tag, series in histograms.items()
        if tag.partition("/")[0] in SHOWN and isinstance(series.buckets, np.ndarray)
    }
    if not shown:
        return {}
    wanted = few(np.unique(np.concatenate([series.steps for series in shown.values()])))
    return {tag: _snapshot(series, wanted) for tag, series in shown.items()}


def few(steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """At most `STEPS` of sorted steps.

    >>> few(np.arange(2001)).tolist()
    [0, 1, 3, 7, 15, 31, 62, 125, 251, 502, 1002, 2000]
    """
    places = np.geomspace(1, steps[-1] - steps[0] + 2, STEPS) - 1 + steps[0]
    at = np.searchsorted(steps, places.round(), side="right") - 1
    return steps[np.unique(np.clip(at, 0, None))]


def _snapshot(series: HistogramSeries, wanted: npt.NDArray[np.int64]) -> Snapshot:
    # Of a step that was written twice, as after a resumption, the later record counts.
    steps, last = np.unique(series.steps[::-1], return_index=True)
    chosen = np.isin(steps, wanted)
    buckets = np.asarray(series.buckets)[len(series.steps) - 1 - last[chosen]]
    counts = buckets[:, :, 2]
    total = counts.sum(axis=1, keepdims=True)
    edges = np.stack([buckets[:, 0, 0], buckets[:, -1, 1]], axis=1)
    return Snapshot(steps[chosen], edges, counts / np.maximum(total, 1))
