"""A run's figures over its steps, in few enough bins to be drawn."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.measured.figures import Array, Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts

OF_PLACES = (
    *("attention_entropy", "attention_logit", "stream_rms", "branch_to_stream"),
    *("expert_load", "experts_unused", "gate_shut", "gate_open"),
)
"""The figures of places that are no layers, such as an attention, that a history keeps."""

QUANTITIES = (
    *("activation_std", "saturated", "zeros", "activation_grad_rms", "update_to_weight"),
    *OF_PLACES,
)
"""The layer figures that a history keeps; and `dead`, dead units / units."""

END_STEPS = 10
"""A run's end is the median of each layer's last so many measured steps: one may be unlucky."""

_SINGLE = 16  # the first steps decide most, and stay alone
_BINS = 120


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth
class History:
    """What became of each layer.

    Attributes:
        layers: whose figures, in network order.
        edges: int64 [bins + 1]; bin i is of the steps from edges[i] up to edges[i + 1], exclusive.
        of: for each quantity, but those of places where there are none, the medians of the bins,
            float32 [bins, layers], NaN where nothing was measured.
        start: for each of these the first measured step's figure, [layers].
        end: for each of these the median of the last `END_STEPS` measured ones, [layers].
    """

    layers: tuple[LayerFacts, ...]
    edges: npt.NDArray[np.int64]
    of: Mapping[str, Array]
    start: Mapping[str, Array]
    end: Mapping[str, Array]

    @property
    def reached(self) -> list[int]:
        """The positions of the layers that a forward pass reaches, in its order."""
        order = [facts.order for facts in self.layers]
        return sorted((i for i in range(len(order)) if order[i] >= 0), key=order.__getitem__)

    @property
    def hidden(self) -> list[int]:
        """Those of the activation functions; without any, of all layers but the last."""
        inner = [i for i in self.reached if not self.layers[i].last]
        return [i for i in inner if self.layers[i].nonlinearity] or inner or self.reached


def history_of(figures: Figures) -> History:
    """Reduce a run's figures to at most 136 bins: each of the first 16 steps, then equal ones."""
    values = {name: figures[name] for name in QUANTITIES}
    for name in OF_PLACES:
        if np.isnan(values[name]).all():
            del values[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        values["dead"] = figures["dead_units"] / figures["units"]
    edges = _edges(figures.steps)
    at = np.searchsorted(figures.steps, edges)
    of = {name: _medians(value, at) for name, value in values.items()}
    start = {name: _outermost(value, 1) for name, value in values.items()}
    end = {name: _outermost(value[::-1], END_STEPS) for name, value in values.items()}
    return History(figures.layers, edges, of, start, end)


def _edges(steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Bins of which each holds a step."""
    first, after = int(steps[0]), int(steps[-1]) + 1
    singles = np.arange(first, min(first + _SINGLE, after))
    rest = np.linspace(min(first + _SINGLE, after), after, _BINS + 1).round().astype(np.int64)
    starts = np.unique(np.concatenate([singles, rest[:-1]]))
    held = np.unique(np.searchsorted(starts, steps, side="right") - 1)
    return np.append(starts[held[held >= 0]], after)


def _medians(values: Array, at: npt.NDArray[np.intp]) -> Array:
    """The median of each bin's rows, at[i] up to at[i + 1], that are not NaN: [bins, layers].

    All bins at once, as wide as the widest: 20 times as fast as NumPy's nanmedian bin by bin.
    """
    rows = at[:-1, None] + np.arange(np.diff(at).max())
    inside = rows < at[1:, None]
    bins = np.where(inside[:, :, None], values[np.where(inside, rows, 0)], np.nan)
    bins.sort(axis=1)  # NaN last
    count = (~np.isnan(bins)).sum(axis=1, keepdims=True)
    low = np.take_along_axis(bins, np.maximum(count - 1, 0) // 2, axis=1)
    high = np.take_along_axis(bins, np.minimum(count // 2, bins.shape[1] - 1), axis=1)
    return (low / 2 + high / 2)[:, 0].astype(np.float32)


def _outermost(values: Array, count: int) -> Array:
    """The median of each column's first `count` numbers, [layers]."""
    columns = [column[~np.isnan(column)][:count] for column in values.T]
    return np.array([np.median(c) if c.size else np.nan for c in columns], np.float32)
