"""Draw the README's picture out of the event files of two runs.

python train.py experiment=five_layers init=random hydra.run.dir=logs/readme/random
python train.py experiment=five_layers init=xavier hydra.run.dir=logs/readme/xavier
python scripts/draw_readme.py logs/readme/random logs/readme/xavier docs/healthy_and_sick.png
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from layerscope.events.reader import RunEvents, read_run

# Okabe and Ito's vermilion and blue, told apart by colour-blind readers and in grey.
COLOURS = ("#D55E00", "#0072B2")


def histogram(axes: Axes, run: RunEvents, tag: str, colour: str) -> None:
    """Draw the first step of a tag: share of elements per bucket."""
    left, right, count = run.histograms[tag].buckets[0].T
    axes.bar(left, count / count.sum(), right - left, align="edge", color=colour)
    axes.set_xlim(-1.02, 1.02)
    axes.set_xticks([-1, 0, 1])
    axes.spines[["top", "right"]].set_visible(False)


def main(sick: Path, healthy: Path, picture: Path) -> None:
    """Two rows of histograms, sick and healthy, and the gradients of both over the layers."""
    runs = [read_run(sick), read_run(healthy)]
    tags = sorted(
        tag for tag in runs[0].histograms if tag.startswith("activation/") and "tanh" in tag
    )
    figure = plt.figure(figsize=(11, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, len(tags) + 2)
    for row, (run, colour) in enumerate(zip(runs, COLOURS, strict=True)):
        name = ("init=random: saturated", "init=xavier: healthy")[row]
        first = None
        for column, tag in enumerate(tags):
            first = axes = figure.add_subplot(grid[row, column], sharey=first)
            histogram(axes, run, tag, colour)
            share = run.scalars[tag.replace("activation/", "saturated_share/")].values[0]
            axes.set_title(f"{tag.split('/')[1]}\n{share:.0%} saturated", fontsize=9)
            axes.tick_params(labelleft=column == 0)
            if column == 0:
                axes.set_ylabel(f"{name}\nshare of outputs")
            if row == 1:
                axes.set_xlabel("activation")
    axes = figure.add_subplot(grid[:, len(tags) :])
    for run, colour, name, mark in zip(runs, COLOURS, ("random", "xavier"), "os", strict=True):
        rms = [
            run.scalars[tag.replace("activation/", "activation_grad_rms/")].values[0]
            for tag in tags
        ]
        axes.plot(np.arange(1, len(tags) + 1), rms, f"{mark}-", color=colour, label=f"init={name}")
    axes.set_yscale("log")
    axes.set_xticks(range(1, len(tags) + 1))
    axes.set_xlabel("hidden layer, from the input")
    axes.set_ylabel("RMS of d loss / d activation")
    axes.set_title("gradient at step 0", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.suptitle("Every layer before the first update: a 5-layer tanh MLP on names")
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
