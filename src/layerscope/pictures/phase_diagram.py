"""The phase diagram of an activation, with runs as dots on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from layerscope.pictures.picture import DPI, INK, dress, new_picture
from layerscope.theory import phase_diagram

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Placed = tuple[str, float, float]
"""A label, sigma_w^2 and the variance of the biases."""

_COARSE, _FINE, _HIGH = 50, 70, 48  # weight variances in all, near the line; bias variances
_LINEAR_BELOW = 1e-4  # of the bias variance's axis, which has to hold 0 as well
_DEEPEST = 1000.0  # layers; critical, where the scale is infinite, has the last colour
_LISTED = 12  # runs that are named; more would leave no room


def phase_picture(activation: str, runs: Sequence[Placed] = ()) -> Figure:
    """Draw over how many layers a signal lasts, for each weight and bias variance.

    The colour is the depth scale 1 / |ln chi|, layers over which the gradient's mean square changes
    by a factor of e; in the ordered phase it is xi_c, that of the correlation of two inputs, too.
    The critical line, chi = 1, is drawn where there is one (gelu and silu have none at small bias
    variances). Both axes reach as far as the runs do.

    Args:
        activation: a name in `theory.ACTIVATIONS`.
        runs: of each its label, sigma_w^2 (fan_in times the variance of a weight) and its biases'
            variance. Runs at the same place share a dot; the first 12 places are named.

    Raises:
        ValueError: an unknown activation; for the variances, as `phase_diagram` does.
    """
    places = _places(runs)
    weights = [weight for weight, _ in places] or [1.0]
    biases = [bias for _, bias in places] or [0.0]
    top = max(1.0, *biases) * 1.5
    line = phase_diagram(activation, [1.0], [0.0, top])
    line_sigma_w2 = line.line_sigma_w2[line.line_bias_variance <= top]
    lowest = max(min(0.1, *weights) / 1.5, 1e-6)  # weights of variance 0 lie on the edge
    highest = max(10.0, *weights, *line_sigma_w2[:1]) * 1.5
    sigma_w2 = np.union1d(  # finer where the critical line is
        np.geomspace(lowest, highest, _COARSE),
        np.geomspace(line_sigma_w2.min() / 2, min(line_sigma_w2.max() * 2, highest), _FINE)
        if line_sigma_w2.size
        else [],
    )
    bias_variance = np.concatenate(
        [
            np.linspace(0, _LINEAR_BELOW, _HIGH // 4, endpoint=False),
            np.geomspace(_LINEAR_BELOW, top, _HIGH - _HIGH // 4),
        ]
    )
    diagram = phase_diagram(activation, sigma_w2, bias_variance)

    figure = new_picture(f"Phase diagram of {activation}: how many layers a signal lasts")
    axes = figure.subplots()
    dress(axes, "", "weight variance × fan_in", "bias variance")
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=_LINEAR_BELOW)
    from matplotlib.colors import LogNorm

    mesh = axes.pcolormesh(
        sigma_w2, bias_variance, np.clip(diagram.depth_scale.T, 0.1, _DEEPEST),
        shading="nearest", cmap="viridis", norm=LogNorm(1, _DEEPEST), rasterized=True,
    )  # fmt: skip
    bar = figure.colorbar(mesh, ax=axes, extend="both", pad=0.01)
    bar.set_label(
        "depth scale 1 / |ln χ|: layers for a factor of e in the gradient²", fontsize=9.5, color=INK
    )
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    bar.ax.tick_params(labelsize=9, colors=INK)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.plot(diagram.line_sigma_w2, diagram.line_bias_variance, color="white", linewidth=4)
    axes.plot(
        diagram.line_sigma_w2, diagram.line_bias_variance, "--", color=INK, linewidth=1.6,
        label="critical line: χ = 1",
    )  # fmt: skip
    axes.set_xlim(sigma_w2[0], sigma_w2[-1])
    axes.set_ylim(-0.06 * _LINEAR_BELOW, top)  # a dot at 0 is seen whole
    _phases(axes, diagram.chi, sigma_w2)
    _dots(axes, places)
    figure.legend(
        loc="outside lower center", ncols=3, fontsize=9, labelcolor=INK, frameon=False,
        handlelength=2.5,
    )  # fmt: skip
    return figure


def _places(runs: Sequence[Placed]) -> dict[tuple[float, float], list[str]]:
    places: dict[tuple[float, float], list[str]] = {}
    for label, sigma_w2, bias_variance in runs:
        # Six digits: what is equal but for rounding is one place.
        place = float(f"{sigma_w2:.6g}"), float(f"{bias_variance:.6g}")
        places.setdefault(place, []).append(label)
    return places


def _phases(axes: Axes, chi: np.ndarray, sigma_w2: np.ndarray) -> None:
    """Name the phases where they are, at two thirds of the height."""
    row = chi[:, 2 * chi.shape[1] // 3]
    across = np.log(sigma_w2 / sigma_w2[0]) / np.log(sigma_w2[-1] / sigma_w2[0])  # 0 to 1
    for name, meaning, inside in (
        ("ordered", "gradients fade", row < 1),
        ("chaotic", "gradients grow", row > 1),
    ):
        if not inside.any():
            continue
        low, high = across[inside][[0, -1]]
        if high - low > 0.18:  # wide enough for the words
            axes.text(
                (low + high) / 2, 0.86, f"{name}\n{meaning}",
                transform=axes.transAxes, ha="center", va="center", fontsize=10,
                color=INK, bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none"},
            )  # fmt: skip


def _dots(axes: Axes, places: dict[tuple[float, float], list[str]]) -> None:
    """A numbered dot for each place, its number beside it where it hides no other."""
    taken: list[tuple[float, float]] = []
    axes.figure.draw_without_rendering()  # type: ignore[union-attr] # where a place is in pixels
    for number, (place, labels) in enumerate(places.items(), start=1):
        more = len(labels) - 2
        named = " and ".join([*labels[:2], *([f"{more} more"] if more > 0 else [])])
        at = axes.transData.transform(place)
        inside = axes.bbox
        x = at[0] + (12 if at[0] < inside.x1 - 30 else -12)
        upward = 1 if at[1] < inside.y1 - 30 else -1
        y = at[1] + 12 * upward
        while any(abs(x - a) < 22 and abs(y - b) < 18 for a, b in taken):
            y += 18 * upward
        taken.append((x, y))
        axes.plot(
            *place, "o", color="white", markersize=8, markeredgecolor=INK, markeredgewidth=1.5,
            clip_on=False, zorder=4, label=f"{number}  {named}" if number <= _LISTED else None,
        )  # fmt: skip
        if number <= _LISTED:
            axes.annotate(
                str(number), place, (72 / DPI * (x - at[0]), 72 / DPI * (y - at[1])),
                textcoords="offset points", fontsize=9, color=INK, ha="center", va="center",
                zorder=5, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.8},
            )  # fmt: skip
