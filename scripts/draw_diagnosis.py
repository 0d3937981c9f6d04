"""Draw the pictures of docs/diagnosis: of each rule a sick network and its healthy twin.

The networks are those with which tests/diagnose/test_confusion.py tests the rules; they are trained
here, measured, judged, and what the judge saw is drawn beside what it compared that with.

python scripts/draw_diagnosis.py docs/diagnosis [RULE ...]
"""

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from layerscope.commands.one_sentence_parser import OneSentenceParser
from layerscope.diagnose import Figures, Judge
from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.profile import profile_of
from layerscope.diagnose.registry import RULES
from layerscope.pictures.picture import (
    BLUE,
    FAINT,
    INK,
    ORANGE,
    VERMILION,
    dress,
    new_picture,
    plain_log_ticks,
    to_png,
)

sys.path.insert(0, str(Path(__file__).parents[1]))
from scripts.diagnosis_pictures import PICTURES, Picture, T
from tests.diagnose.healthy import CLASSES

Floats = NDArray[np.float64]
SPIKE_WINDOW = 50  # steps in the running median, as in the rule


def values(rule: str, figures: Figures, classes: int | None) -> Floats:
    """What the rule looks at, [steps, layers]; NaN where it judges nothing."""
    roles = Roles(figures.layers, classes)
    with np.errstate(all="ignore"):
        if rule == "gradient_spike":
            of_layers = figures["weight_grad_rms"].astype(float)
            medians = np.full(of_layers.shape, np.nan)
            for step in range(T.warm_up, len(of_layers)):
                medians[step] = np.median(of_layers[max(0, step - SPIKE_WINDOW) : step], axis=0)
            return of_layers / medians
        if rule in ("update_too_large", "update_too_small", "stalled"):
            ratio = np.log10(figures["update_to_weight"] * roles.only("trained")).astype(float)
            return ratio - np.median(ratio, 1)[:, np.newaxis] if rule == "stalled" else ratio
        if rule == "overconfident_start":
            shown = np.full((len(figures.steps), len(figures.layers)), np.nan)
            shown[:, roles.last] = figures["loss"] / math.log(CLASSES)
            return shown
        if rule == "not_finite":
            return np.asarray(figures["activation_nonfinite"] / figures["activation_count"], float)
        return np.asarray(RULES[rule](figures, T, Memory(roles)).values, float)


def over_steps(
    axes: Axes, rule: str, picture: Picture, figures: Figures, found: Finding | None, layer: str
) -> None:
    """One line per layer; `layer`, which falls ill first in the sick run, stands out."""
    shown = np.clip(values(rule, figures, picture.classes), picture.low, picture.high)
    steps = np.array(figures.steps)
    names = [facts.name for facts in figures.layers]
    # From dark blue to yellow-grey: cividis is the same to all eyes, and its order is depth.
    colours = matplotlib.colormaps["cividis"](np.linspace(0, 0.85, len(names)))
    for name, colour, line in zip(names, colours, shown.T, strict=True):
        if not np.isnan(line).all():
            first = name == layer
            axes.plot(
                steps, line, color=VERMILION if first else colour, linewidth=2.2 if first else 1.1,
                label=name, zorder=3 if first else 2, clip_on=False,
            )  # fmt: skip
    axes.set_xlim(steps[0] - 0.5, steps[-1] + 0.5)
    if found:
        y = shown[found.step, names.index(layer)]
        mark(axes, found, found.step, y)
        axes.annotate(
            picture.ring, (found.step, y), xytext=(-7, 22), textcoords="offset points", ha="right",
            fontsize=8.5, color=VERMILION,
        )  # fmt: skip


def over_layers(
    axes: Axes, rule: str, picture: Picture, figures: Figures, found: Finding | None, step: int
) -> None:
    """The profile over depth of three steps: before it falls ill, then, and the last."""
    profile = profile_of(figures, Roles(figures.layers))
    last = len(figures.steps) - 1
    vanishing = rule == "vanishing_gradient"
    base = profile.norms.max(axis=1) if vanishing else profile.norms[:, -1]
    norms = np.clip(profile.norms / base[:, np.newaxis], picture.low, picture.high)
    names = [figures.layers[i].name for i in profile.chain]
    at = np.arange(len(names))
    styles = ((step - 1, BLUE, "o-"), (step, VERMILION, "s-"), (last, ORANGE, "^:"))
    for row, colour, style in styles:
        axes.plot(at, norms[row], style, color=colour, linewidth=1.6, markersize=5,
                  label=f"step {row}")  # fmt: skip
    axes.set_xticks(at, [name.partition("_")[0] for name in names])
    if found:
        place = names.index(found.layer)
        mark(axes, found, place, norms[step, place])


def mark(axes: Axes, found: Finding, x: float, y: float) -> None:
    """Ring the place that the finding names, and say in the title what it is."""
    axes.set_title(f"sick: {found.severity}, {found.layer}, step {found.step}", color=VERMILION,
                   fontsize=10.5, loc="left")  # fmt: skip
    axes.axvline(x, color=VERMILION, linewidth=1, linestyle=":", zorder=1)
    axes.plot(x, y, "o", color=VERMILION, markersize=11, markeredgewidth=1.8,
              markerfacecolor="none", zorder=5, clip_on=False)  # fmt: skip


def thresholds(axes: Axes, picture: Picture) -> None:
    """Dashed lines, each with its name to the right of the axes."""
    for name, limit in picture.limits:
        usual = name.startswith(("usual", "guessing"))
        axes.axhline(limit, color=FAINT if usual else INK, linewidth=1, linestyle="--", zorder=1)
        axes.annotate(
            name, (1, limit), xycoords=("axes fraction", "data"), xytext=(3, 0),
            textcoords="offset points", va="center", fontsize=8.5, color=FAINT if usual else INK,
            annotation_clip=False,
        )  # fmt: skip


def draw(rule: str, picture: Picture) -> bytes:
    """Train both networks, judge them, and draw what was judged."""
    torch.manual_seed(0)
    sick = picture.sick()
    torch.manual_seed(0)
    healthy = picture.healthy()
    found = {}
    for name, figures in (("sick", sick), ("healthy", healthy)):
        judge = Judge((), classes=picture.classes)
        judge.look(figures)
        found[name] = {f.rule: f for f in judge.findings if f.severity != "note"}
    if found["healthy"]:
        raise ValueError(f"the healthy twin of {rule} is not: {found['healthy']}")
    finding = found["sick"][rule]
    figure = new_picture(f"{rule}: {picture.disease}", 900, 320)
    both = figure.subplots(1, 2, sharey=True)
    over_depth = rule.endswith("ing_gradient")
    for axes, title, figures, named in (
        (both[0], "sick", sick, finding),
        (both[1], f"healthy: {picture.twin}", healthy, None),
    ):
        x = "hidden layer, from the input" if over_depth else "training step"
        dress(axes, title, x, picture.value if named else "")
        if picture.log:
            plain_log_ticks(axes, picture.low, picture.high)
        else:
            axes.set_ylim(picture.low, picture.high)
        if over_depth:
            over_layers(axes, rule, picture, figures, named, finding.step)
        else:
            over_steps(axes, rule, picture, figures, named, finding.layer)
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        if picture.percent:
            axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.tick_params(labelleft=True)
        thresholds(axes, picture)
    handles, labels = both[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=9, fontsize=8.5, labelcolor=INK,
        frameon=False, handlelength=1.4, columnspacing=1.2, borderpad=0.1,
    )  # fmt: skip
    return to_png(figure)


def main(folder: Path, rules: Sequence[str]) -> None:
    """Write the pictures into `folder`: of these rules, or of all."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    for rule in rules or PICTURES:
        (folder / f"{rule}.png").write_bytes(draw(rule, PICTURES[rule]))


if __name__ == "__main__":
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where they are written")
    parser.add_argument("rules", nargs="*", metavar="RULE", help="by default all that have one")
    asked = parser.parse_args()
    for rule in asked.rules:
        if rule not in PICTURES:
            parser.error(f"argument RULE: must be one of {', '.join(PICTURES)}, got {rule!r}")
    main(asked.folder, asked.rules)
