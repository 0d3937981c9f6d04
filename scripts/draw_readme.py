"""Draw the README's picture out of the event files of two runs.

python train.py experiment=five_layers init=random hydra.run.dir=logs/readme/random
python train.py experiment=five_layers init=xavier hydra.run.dir=logs/readme/xavier
python scripts/draw_readme.py logs/readme/random logs/readme/xavier docs/healthy_and_sick.png
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import PercentFormatter

from layerscope.commands.one_sentence_parser import OneSentenceParser
from layerscope.run import Run, read

# Okabe and Ito's vermilion and blue, told apart by colour-blind readers and in grey.
COLOURS = ("#D55E00", "#0072B2")
NAMES = ("init=random", "init=xavier")


def histograms(figure: SubFigure, run: Run, name: str, colour: str, tags: list[str]) -> None:
    """A row: each layer's outputs at the first step, under what was found of the run."""
    graver = [each for each in run.findings if each.severity != "note"]
    worst = max(graver, key=lambda each: each.severity == "critical", default=None)
    told = "no warning" if worst is None else f"{worst.severity}: {worst.explanation}"
    figure.suptitle(f"{name}: {told}", color=colour, fontsize=11, weight="bold", x=0.02, ha="left")
    row = figure.subplots(1, len(tags), sharey=True)
    for axes, tag in zip(row, tags, strict=True):
        left, right, count = run.histograms[tag].buckets[0].T
        axes.bar(left, count / count.sum(), right - left, align="edge", color=colour)
        axes.set_xlim(-1.02, 1.02)
        axes.set_xticks([-1, 0, 1])
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        share = run.scalars[tag.replace("activation/", "saturated_share/")].values[0]
        axes.set_title(f"{tag.split('/')[1]}: {share:.0%} saturated", fontsize=9)
    row[0].set_ylabel("share of outputs")


def gradients(axes: Axes, runs: list[Run], tags: list[str]) -> None:
    """The gradient of both over the layers, and what becomes of it on its way to the input."""
    at = np.arange(1, len(tags) + 1)
    for run, colour, name, mark in zip(runs, COLOURS, NAMES, "os", strict=True):
        names = [tag.replace("activation/", "activation_grad_rms/") for tag in tags]
        rms = [run.scalars[each].values[0] for each in names]
        axes.plot(at, rms, f"{mark}-", color=colour)
        factor = rms[0] / rms[-1]
        told = f"grows {factor:.0f}-fold" if factor > 1 else f"fades to {factor:.0%}"
        axes.annotate(
            f"{name}: {told}\ntoward the input", (at[-1], max(rms[1], 1.5 * rms[-1])), (6, 0),
            textcoords="offset points", ha="right", va="bottom", color=colour, fontsize=10,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xticks(at)
    axes.set_xlabel("hidden layer, from the input")
    axes.set_ylabel("RMS of d loss / d activation")
    axes.set_title("gradient at step 0", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def main(sick: Path, healthy: Path, picture: Path) -> None:
    """Two rows of histograms, sick and healthy, and the gradients of both over the layers."""
    runs = [read(sick), read(healthy)]
    tags = sorted(
        tag for tag in runs[0].histograms if tag.startswith("activation/") and "tanh" in tag
    )
    figure = plt.figure(figsize=(12.5, 5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[len(tags), 2], wspace=0.03)
    rows = left.subfigures(2, 1, hspace=0.05)
    for row, run, name, colour in zip(rows, runs, NAMES, COLOURS, strict=True):
        histograms(row, run, name, colour, tags)
    gradients(right.subplots(), runs, tags)
    figure.suptitle("Every layer before the first update: a 5-layer tanh MLP on names")
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("sick", type=Path, help="a run")
    parser.add_argument("healthy", type=Path, help="a run")
    parser.add_argument("picture", type=Path, help="the file that is written")
    asked = parser.parse_args()
    try:
        main(asked.sick, asked.healthy, asked.picture)
    except FileNotFoundError as error:
        parser.error(str(error))
