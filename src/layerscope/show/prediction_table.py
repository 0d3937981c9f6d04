"""What theory expects of every layer, in the console."""

from __future__ import annotations

from collections.abc import Callable
from math import expm1, inf, isinf, isnan

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from layerscope.theory import Phase, Prediction


def prediction_table(prediction: Prediction) -> Table:
    """One line per layer, in network order; at most 80 columns wide.

    A share is a column only where some layer can have it.
    """
    p = prediction
    table = Table(
        title="What theory expects of every layer",
        caption="q: variance of the pre-activations; corr: correlation of two inputs' there; "
        f"saturated: share of outputs beyond {p.saturation_threshold:g} of the range; chi: what "
        "the layer multiplies the gradient's mean square by; gradient and weight: RMS of the "
        "gradients of outputs and weights, the last layer's being 1; ±: from one draw of the "
        "weights to the next.",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    columns: list[tuple[str, list[str]]] = [
        ("layer", [f"{n:02d}_{layer.activation}" for n, layer in enumerate(p.layers, start=1)]),
        ("q", _each(p.variance, "{:.3g}")),
        ("mean", _each(p.mean, "{:+.3g}", _hundredths)),
        ("std", _each(p.std, "{:.2g}")),
        ("±", _each(p.std_spread, "{:.0%}", expm1)),
        ("saturated", _each(p.saturated, "{:.1%}")),
        ("zeros", _each(p.zeros, "{:.0%}", lambda share: share or float("nan"))),
        ("corr", _each(p.correlation, "{:.2f}", _hundredths)),
        ("chi", _each(p.chi, "{:.4g}")),
        ("gradient", _each(p.activation_grad, "{:.2g}")),
        ("±", _each(p.grad_spread, "{:.0%}", expm1)),
        ("weight", _each(p.weight_grad, "{:.2g}")),
    ]
    columns = [(head, cells) for head, cells in columns if set(cells) != {_NOTHING}]
    for head, _ in columns:
        table.add_column(head, justify="left" if head == "layer" else "right", no_wrap=True)
    for row in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*row)
    return table


def verdict_sentences(prediction: Prediction) -> list[str]:
    """What is assumed, where depth leads and how far a signal gets, in words."""
    p = prediction
    given = (
        f"Inputs: second moment {p.inputs.second_moment:.3g}, correlation "
        f"{p.inputs.correlation:.2g}, {p.inputs.source}."
    )
    depth = len(p.layers)
    survives = p.phase.survives
    reach = (
        "any depth"
        if survives >= 100 * depth  # more digits than anyone needs
        else f"about {max(round(survives), 1)} layers"
    )
    change = p.activation_grad[0]
    toward = (
        "" if isnan(change) else f"; the first layer's gradient is {change:.2g} times the last's"
    )
    return [
        given,
        f"Verdict: {p.phase.verdict}{_MEANING[p.phase.verdict]}{toward}.",
        f"The difference between two inputs survives {reach}; this network has {depth}.",
        _scales(p.phase),
    ]


_MEANING = {
    "ordered": ": gradients fade toward the input and inputs become alike",
    "critical": ": neither signals nor gradients fade or grow exponentially",
    "chaotic": ": gradients grow toward the input and like inputs drift apart",
}
_NOTHING = "–"


def _scales(phase: Phase) -> str:
    where = {0.0: "fades to 0", inf: "grows without end"}
    variance = where.get(phase.variance, f"tends to {phase.variance:.3g}")
    return (
        f"Depth scales: xi_q {_layers(phase.variance_scale)} (variance {variance}), "
        f"xi_c {_layers(phase.correlation_scale)} (correlation tends to {phase.correlation:.2f})."
    )


def _layers(scale: float) -> str:
    return "infinite" if isinf(scale) or scale > 1e6 else f"{scale:.3g}"


def _hundredths(value: float) -> float:
    return value if isnan(value) or isinf(value) else round(value, 2) + 0.0  # no minus zero


def _each(
    values: NDArray[np.float64], form: str, shown: Callable[[float], float] = lambda value: value
) -> list[str]:
    cells = []
    for value in values:
        number = shown(float(value))
        cells.append(_NOTHING if isnan(number) else form.format(number))
    return cells
