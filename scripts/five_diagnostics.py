"""The five diagnostics of Karpathy's makemore, part 3, in one picture."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from layerscope.pictures.picture import FAINT, INK, dress, new_picture, plain_log_ticks, to_png

sys.path.insert(0, str(Path(__file__).parents[1]))
from scripts.lesson_figures import LOOKS, Runs, diagnosis, hidden, linear


def five_diagnostics(runs: Runs) -> bytes:
    """Those of Karpathy's makemore lecture 3, at the last step; the lines are layers."""
    run = next(iter(runs.values()))
    figures = run.figures
    assert figures is not None
    figure = new_picture(
        f"The lecture's five diagnostics at step {figures.steps[-1]}: a line is a layer", 1000, 640
    )
    axes = figure.subplots(2, 3)
    names = [layer.name for layer in figures.layers]
    tanh, weights = [names[at] for at in hidden(run)], [names[at] for at in linear(run)]
    for panel, quantity, of, title, x in (
        (axes[0, 0], "activation", tanh, "Activations", "tanh output"),
        (axes[0, 1], "activation_grad", tanh, "Gradients", "d loss / d tanh output"),
        (axes[0, 2], "weight_grad", weights, "Weight gradients", "d loss / d weight"),
    ):
        for place, name in enumerate(of):
            left, right, count = run.histograms[f"{quantity}/{name}"].buckets[-1].T
            density = count / count.sum() / (right - left)
            panel.plot((left + right) / 2, density, color=_shade(place, len(of)), label=name)
        dress(panel, title, x, "density")
        if quantity != "activation":
            widest = max(abs(value) for line in panel.lines for value in line.get_xdata()) * 0.5
            panel.set_xlim(-widest, widest)
            panel.xaxis.set_major_locator(MaxNLocator(3))
        panel.legend(frameon=False, fontsize=7.5)
    steps = diagnosis(run)["steps"]
    for step, (colour, mark) in zip((steps[0], steps[-1]), LOOKS, strict=False):
        by_name = {each["layer"]: each for each in step["layers"]}
        ratio = [by_name[n]["weight_grad"]["std"] / by_name[n]["weight"]["std"] for n in weights]
        axes[1, 0].plot(ratio, mark, linestyle="-", color=colour, label=f"step {step['step']}")
    dress(axes[1, 0], "gradient:data", "weight matrix", "std(gradient) / std(weight)")
    shown = [value for line in axes[1, 0].lines for value in line.get_ydata()]
    plain_log_ticks(axes[1, 0], min(shown) / 2, max(shown) * 2)
    axes[1, 0].set_xticks(range(len(weights)), [name.split("_")[0] for name in weights])
    axes[1, 0].legend(frameon=False, fontsize=8)
    for place, at in enumerate(linear(run)):
        with np.errstate(divide="ignore"):
            ratio = np.log10(figures["update_to_weight"][:, at])
        known = np.isfinite(ratio)
        colour = _shade(place, len(weights))
        axes[1, 1].plot(figures.steps[known], ratio[known], color=colour, label=names[at])
    axes[1, 1].axhline(-3, color=INK, linestyle="--", linewidth=1)
    dress(axes[1, 1], "update:data, -3 is about right", "step", "log10 RMS(update) / RMS(weight)")
    loss = run.scalars["train/loss"]
    axes[1, 2].plot(loss.steps, loss.values, color=FAINT, linewidth=0.8)
    dress(axes[1, 2], "And the loss of each batch", "step", "train/loss in nats")
    return to_png(figure)


def _shade(place: int, count: int) -> Any:
    from matplotlib import colormaps

    return colormaps["viridis"](0.9 * place / max(count - 1, 1))
