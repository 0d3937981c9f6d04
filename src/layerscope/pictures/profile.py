"""Both profiles over depth: how far activations spread and how gradients change, beside theory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerscope.pictures.picture import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    VERMILION,
    dress,
    new_picture,
    plain_log_ticks,
    say,
)
from layerscope.theory import PredictionSummary
from layerscope.theory.phase import depth_in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SPREADS = 2  # of the draw of the weights, in the band: 19 of 20 networks
_LOG_FROM = 20.0  # largest over smallest std from which on its axis is logarithmic

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DepthProfile:
    """What was measured of the hidden layers in one step; None or NaN where unknown.

    Args:
        std: of each hidden layer's outputs, [depth].
        activation_grad_rms: RMS of d loss / d outputs of each, [depth], in any unit.
    """

    step: int
    std: Sequence[float | None]
    activation_grad_rms: Sequence[float | None]


def profile_picture(
    prediction: PredictionSummary | None,
    first: DepthProfile,
    last: DepthProfile | None = None,
    off: Sequence[Mapping[str, Any]] = (),
) -> Figure:
    """Draw the std and the gradient of each hidden layer, measured (dots) and expected (dashed).

    The band is theory's prediction times or over e to 2 spreads: 19 of 20 draws of the weights.
    The gradient is relative to the last hidden layer's, on a logarithmic axis.

    Args:
        prediction: of the first step; None, or one without layers, draws what was measured alone.
        first: the initialisation.
        last: a later step, drawn lighter; not compared with theory, which knows step 0 only.
        off: what is unexpected, as `theory.departures_in_words` gives it: it gets a ring.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_picture(_title(prediction))
    spread, gradient = figure.subplots(1, 2)
    depth = len(first.std)
    x = f"hidden layer, 1 to {depth} from the input"
    dress(spread, "How far activations spread", x, "standard deviation of activations")
    dress(
        gradient, "How the gradient changes on its way back", x,
        "RMS of d loss / d activation, last hidden layer = 1",
    )  # fmt: skip
    rows = [(first, BLUE, "o", True)] + ([(last, ORANGE, "s", False)] if last else [])
    for axes, columns, quantity in (
        (spread, [_floats(profile.std) for profile, *_ in rows], "std"),
        (
            gradient,
            [_relative(profile.activation_grad_rms) for profile, *_ in rows],
            "activation_grad",
        ),
    ):
        drawn = []
        if prediction is not None and prediction.depth == depth:
            drawn = _draw_prediction(axes, prediction, quantity)
        for (profile, colour, mark, is_first), column in zip(rows, columns, strict=True):
            axes.plot(
                np.arange(1, depth + 1), column, mark if depth <= 60 else ".",
                color=colour, label=f"measured at step {profile.step}", zorder=3 if is_first else 2,
                markersize=7 if depth <= 60 else 5, alpha=1 if is_first else 0.9,
                markerfacecolor=colour if is_first else "none",
            )  # fmt: skip
        at = np.array([each["layer"] for each in off if each["quantity"] == quantity], int)
        if at.size:
            axes.plot(
                at + 1, columns[0][at], "o", color=VERMILION, markersize=13, markeredgewidth=1.8,
                markerfacecolor="none", label="far from theory", zorder=4,
            )  # fmt: skip
        _scale(axes, np.concatenate([*columns, *drawn]), always_log=quantity == "activation_grad")
        axes.set_xlim(0.5, depth + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    named = {  # one legend for both panels, below them, where it hides nothing
        label: handle
        for axes in (spread, gradient)
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        named.values(), named.keys(),
        loc="outside lower center", ncols=5, fontsize=9, labelcolor=INK, frameon=False,
    )  # fmt: skip
    return figure


def _draw_prediction(axes: Axes, prediction: PredictionSummary, quantity: str) -> list[Floats]:
    line = np.array(getattr(prediction, quantity))
    spread = prediction.std_spread if quantity == "std" else prediction.grad_spread
    factor = np.exp(_SPREADS * np.array(spread))
    at = np.arange(1, len(line) + 1)
    axes.fill_between(
        at, line / factor, line * factor,
        color=FAINT, alpha=0.2, linewidth=0, label=f"theory, ± {_SPREADS} spreads of the draw",
    )  # fmt: skip
    axes.plot(at, line, "--", color=INK, linewidth=1.4, label="theory for step 0")
    return [line]


def _title(prediction: PredictionSummary | None) -> str:
    if prediction is None or prediction.phase is None:
        why = "" if prediction is None else f": no prediction, as {prediction.reason}"
        return f"Every hidden layer as measured{why}"
    p = prediction.phase
    reach = depth_in_words(p.survives, prediction.depth)
    return (
        f"Every hidden layer, measured and expected: {p.verdict}, χ = {p.chi:.3g}\nweights of "
        f"variance {p.sigma_w2:.3g} / fan_in, biases of {p.bias_variance:.3g}; the difference "
        f"between two inputs survives {reach}"
    )


def _scale(axes: Axes, shown: Floats, always_log: bool) -> None:
    shown = shown[np.isfinite(shown) & (shown > 0)]
    if not shown.size:
        say(axes, "nothing measured is finite and above 0")
    elif always_log or shown.max() > _LOG_FROM * shown.min():
        # At least a decade, lest a difference of a few percent look like much.
        middle, factor = math.sqrt(shown.min() * shown.max()), math.sqrt(shown.max() / shown.min())
        factor = 1.3 * max(factor, math.sqrt(10))
        plain_log_ticks(axes, middle / factor, middle * factor)
    else:
        axes.set_ylim(0, shown.max() * 1.25)
    axes.grid(axis="y", color=FAINT, alpha=0.25, linewidth=0.7)


def _floats(column: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in column], np.float64)


def _relative(column: Sequence[float | None]) -> Floats:
    gradient = _floats(column)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = gradient / gradient[-1]
    return ratio
