"""The pictures of the lesson's page, each of the runs that an exercise has."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from layerscope.pictures.picture import (
    BLUE,
    FAINT,
    INK,
    VERMILION,
    dress,
    new_picture,
    plain_log_ticks,
    to_png,
)
from layerscope.run import Run

sys.path.insert(0, str(Path(__file__).parents[1]))
from scripts.five_diagnostics import five_diagnostics
from scripts.lesson_figures import (
    LOOKS,
    SIZES,
    Runs,
    dead_share,
    diagnosis,
    first_step,
    hidden,
    linear,
    of_step_0,
)


def histograms(runs: Runs) -> bytes:
    """A row for each run, a column for each hidden layer: activations at step 0."""
    first = next(iter(runs.values()))
    depth = len(hidden(first))
    figure = new_picture("Activations before the first update", 1000, 60 + 190 * len(runs))
    axes = figure.subplots(len(runs), depth, sharey="row", squeeze=False)
    for row, ((name, run), (colour, _)) in enumerate(zip(runs.items(), LOOKS, strict=False)):
        assert run.figures is not None
        for column, at in enumerate(hidden(run)):
            layer = run.figures.layers[at].name
            left, right, count = run.histograms[f"activation/{layer}"].buckets[0].T
            panel: Axes = axes[row, column]
            panel.bar(left, count / count.sum(), right - left, align="edge", color=colour)
            std, saturated = (of_step_0(run, of)[column] for of in ("activation_std", "saturated"))
            title = f"{layer}\nstd {std:.2f}, {saturated:.0%} saturated"
            dress(panel, title, "activation" if row == len(runs) - 1 else "", "")
            panel.set_title(title, fontsize=9, color=INK, loc="left")
            panel.set_xlim(-1.03, 1.03)
            panel.set_xticks([-1, 0, 1])
            panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
        axes[row, 0].set_ylabel(f"{name}\nshare of outputs", fontsize=9.5, color=INK)
    return to_png(figure)


def weight_gradients(runs: Runs) -> bytes:
    """The notebook's bars: mean |gradient| of each weight matrix, the logits' the last."""
    figure = new_picture("Gradient of each weight matrix at step 0", 1000, 420)
    axes = figure.subplots()
    shown = []
    for place, ((name, run), (colour, _)) in enumerate(zip(runs.items(), LOOKS, strict=False)):
        step = first_step(run)
        values = [step["layers"][at]["weight_grad"]["mean_abs"] for at in linear(run)]
        at = np.arange(len(values)) + (place - 1) * 0.27
        for bar, value in zip(
            axes.bar(at, values, 0.25, color=colour, label=name), values, strict=True
        ):
            axes.annotate(
                f"{value:.2g}", (bar.get_x() + bar.get_width() / 2, value), ha="center",
                va="bottom", fontsize=8, color=INK,
            )  # fmt: skip
        shown += values
    dress(axes, "", "weight matrix, from the input", "mean |d loss / d weight|")
    plain_log_ticks(axes, min(shown) / 2, max(shown) * 2)
    axes.set_xticks(range(len(values)), [f"W{number + 1}" for number in range(len(values))])
    axes.legend(frameon=False, fontsize=9)
    return to_png(figure)


def profiles(runs: Runs) -> bytes:
    """Std and gradient over the layers at step 0, with theory's prediction."""
    figure = new_picture("Every hidden layer at step 0, measured and predicted", 1000, 440)
    panels = figure.subplots(1, 2)
    for (name, run), look in zip(runs.items(), LOOKS, strict=False):
        _lines(panels, name, run, look)
        theory = diagnosis(run)["theory"]["layers"]
        at = np.arange(1, len(theory) + 1)
        for panel, key in zip(panels, ("std", "activation_grad"), strict=True):
            line = [each[key] for each in theory]
            panel.plot(at, line, "--", color=look[0], linewidth=1.2)
    panels[0].plot([], [], "--", color=INK, label="theory")
    _dress_profiles(panels, "")
    panels[0].legend(frameon=False, fontsize=9)
    return to_png(figure)


def side_by_side(runs: Runs) -> bytes:
    """A column for each depth, a line for each activation function; names are `relu, 5 layers`."""
    depths = list(dict.fromkeys(name.split(", ")[1] for name in runs))
    figure = new_picture("tanh, ReLU and Leaky ReLU with init=kaiming at step 0", 1000, 640)
    axes = figure.subplots(2, len(depths), sharey="row", squeeze=False)
    for column, depth in enumerate(depths):
        of = {name.split(", ")[0]: run for name, run in runs.items() if name.endswith(depth)}
        for (name, run), look in zip(of.items(), LOOKS, strict=False):
            _lines(axes[:, column], name, run, look)
        _dress_profiles(axes[:, column], depth)
        if column:
            for panel in axes[:, column]:
                panel.set_ylabel("")
    axes[0, 0].legend(frameon=False, fontsize=9)
    return to_png(figure)


def exhibit_a(runs: Runs) -> bytes:
    """The page's chart of the gradient, the same on a logarithmic axis, and that of the weights."""
    run = next(iter(runs.values()))
    grad = of_step_0(run, "activation_grad_rms")
    relative, depth = grad / grad[-1], len(grad)
    at = np.arange(depth, 0, -1)  # as on the page, from the output
    figure = new_picture("Exhibit A as measured: ten tanh layers, weights of std 0.07", 1000, 420)
    bars, line = figure.subplots(1, 2)
    x = "layer, from the output to the input"
    bars.bar(np.arange(depth), relative[::-1], color=VERMILION)
    dress(bars, "Linear, as on the page", x, "RMS of d loss / d activation, layer 10 = 1")
    line.plot(relative[::-1], "o-", color=VERMILION, label="d loss / d activation")
    layers = first_step(run)["layers"]
    weight = np.array([layers[at]["weight_grad"]["rms"] for at in hidden(run)])
    line.plot(weight[::-1] / weight[-1], "s-", color=BLUE, label="d loss / d weight")
    line.plot(0.7 ** np.arange(depth), "--", color=INK, label="0.7 a layer")
    dress(line, "Logarithmic", x, "RMS, layer 10 = 1")
    plain_log_ticks(line, min(relative.min(), 0.7**depth) / 1.5, 5)
    line.legend(frameon=False, fontsize=9)
    for panel in (bars, line):
        panel.set_xticks(range(depth), [f"{number}" for number in at])
    return to_png(figure)


def dead_units(runs: Runs) -> bytes:
    """Share of the hidden units that are dead, over the steps, and the loss."""
    figure = new_picture("Units that no example makes active, and the loss", 1000, 420)
    share, loss = figure.subplots(1, 2)
    for (name, run), (colour, mark) in zip(runs.items(), LOOKS, strict=False):
        figures = run.figures
        assert figures is not None
        dead = dead_share(run)
        known = np.isfinite(dead)
        share.plot(
            figures.steps[known], dead[known], color=colour, marker=mark, markevery=0.12, label=name
        )
        series = run.scalars["train/loss"]
        loss.plot(
            series.steps, series.values, color=colour, marker=mark, markevery=0.12, label=name
        )
    dress(share, "Dead units", "step", "share of the hidden units")
    share.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    share.set_ylim(-0.03, 1.03)
    dress(loss, "Loss", "step", "train/loss in nats")
    loss.set_ylim(1.8, 4.5)
    share.legend(frameon=False, fontsize=9)
    return to_png(figure)


PICTURES: dict[str, Callable[[Runs], bytes]] = {
    draw.__name__: draw
    for draw in (
        histograms,
        weight_gradients,
        profiles,
        side_by_side,
        exhibit_a,
        dead_units,
        five_diagnostics,
    )
}
"""PNG of an exercise's runs, by name."""


def _lines(panels: Any, name: str, run: Run, look: tuple[str, str]) -> None:
    std, grad = of_step_0(run, "activation_std"), of_step_0(run, "activation_grad_rms")
    at = np.arange(1, len(std) + 1)
    for panel, values in zip(panels, (std, grad / grad[-1]), strict=True):
        panel.plot(
            at, values, look[1], linestyle="-", color=look[0], markersize=SIZES[look[1]], label=name
        )


def _dress_profiles(panels: Any, depth: str) -> None:
    x = "hidden layer, from the input"
    dress(panels[0], depth or "Activations", "" if depth else x, "std of activations")
    title = "" if depth else "Gradient"
    dress(panels[1], title, x, "RMS of d loss / d activation,\nlast hidden layer = 1")
    for panel in panels:
        shown = np.concatenate([np.asarray(line.get_ydata(), float) for line in panel.lines])
        shown = shown[np.isfinite(shown) & (shown > 0)]
        panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        panel.grid(axis="y", color=FAINT, alpha=0.25, linewidth=0.7)
        if panel is panels[1]:
            low, high = panel.get_ylim() if panel.get_yscale() == "log" else (1.0, 1.0)
            plain_log_ticks(
                panel, min(low, shown.min() / 1.5, 0.2), max(high, shown.max() * 1.5, 5)
            )
        else:
            panel.set_ylim(0, max(panel.get_ylim()[1], 1.1 * shown.max()))
