"""`make lesson`: every experiment of the course's day 11, and one page of what they measured.

python scripts/write_lesson.py [--folder logs/lesson] [--steps N]

Each number and each picture is read back from the runs' event files. The runs are those of
conf/experiment, cut short: the page has the command of each.
"""

import base64
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from layerscope.commands.one_sentence_parser import OneSentenceParser  # noqa: E402
from layerscope.run import Run, read  # noqa: E402
from layerscope.training.run import train  # noqa: E402
from layerscope.whole_file import write_whole  # noqa: E402
from scripts.lesson_figures import dead_share, hidden  # noqa: E402
from scripts.lesson_pictures import PICTURES  # noqa: E402

NAME = "lesson.html"
QUIET = ("report=false", "trainer.enable_progress_bar=false", "accelerator=cpu", "names=1")


@dataclass(frozen=True)
class Exercise:
    """A part of the course, the runs that show it, and how they are drawn.

    Args:
        title: of its section.
        of: where the course has it.
        look: what to look at; no figures, which come from the runs.
        runs: overrides by the name that the run has on the page.
        picture: a name in PICTURES.
    """

    title: str
    of: str
    look: str
    runs: Mapping[str, Sequence[str]]
    picture: str


def by_init(*overrides: str) -> dict[str, list[str]]:
    """One run for each of the course's three inits."""
    return {
        f"init={init}": [*overrides, f"init={init}"] for init in ("random", "kaiming", "xavier")
    }


STEPS = "trainer.max_steps="
NOTEBOOK = by_init("experiment=notebook", STEPS + "30")
EXERCISES = (
    Exercise(
        "Saturation", "the notebook, parts 3 to 5",
        "Towers at -1 and 1 are saturated outputs; a hump is a layer that tells its inputs apart.",
        NOTEBOOK, "histograms",
    ),
    Exercise(
        "Gradient flow, and Xavier against Kaiming", "the notebook, parts 6 and 7",
        "Compare the bars of one colour. If they grow from W4 to W1, the gradient explodes; "
        "if they shrink, it vanishes.",
        NOTEBOOK, "weight_gradients",
    ),
    Exercise(
        "A five-layer MLP with a bad init", "the page, do first",
        "The same towers, five layers deep. Then the two cures below them.",
        by_init("experiment=five_layers", STEPS + "60"), "histograms",
    ),
    Exercise(
        "Random, Kaiming and Xavier through depth", "the page, part III and do carefully",
        "Marks are measured, dashed lines are what theory expected. Level is healthy.",
        by_init("experiment=five_layers", "model.depth=10", STEPS + "20"), "profiles",
    ),
    Exercise(
        "Exhibit A: the gradient over ten tanh layers", "the page, part I",
        "The bars are the page's chart. On a logarithmic axis the numbers are a straight line, "
        "beside 0.7 a layer. The gradients of the weights do not fade with them.",
        {"experiment=vanishing": ["experiment=vanishing", STEPS + "20"]}, "exhibit_a",
    ),
    Exercise(
        "tanh, ReLU and Leaky ReLU side by side", "the page, do if time",
        "One column for each depth. Which line stays level on its way through the layers?",
        {
            f"{activation}, {depth} layers": [
                "init=kaiming", f"model.activation={activation}", f"model.depth={depth}",
                STEPS + "40",
            ]
            for depth in (5, 10, 20)
            for activation in ("tanh", "relu", "leaky_relu")
        },
        "side_by_side",
    ),
    Exercise(
        "Dead units", "the page, part II",
        "The share of all hidden units that were active on none of the last 8,192 examples.",
        {
            "relu, lr=0.1": ["experiment=dead_relu", STEPS + "150"],
            "leaky_relu, lr=0.1": [
                "experiment=dead_relu", "model.activation=leaky_relu", STEPS + "150"
            ],
            "relu, lr=0.004": ["experiment=dead_relu", "optimizer.lr=4e-3", STEPS + "150"],
        },
        "dead_units",
    ),
    Exercise(
        "The lecture's five diagnostics", "Karpathy, makemore part 3",
        "Lines that lie on one another are layers of one scale. Where update:data is far from -3, "
        "change the learning rate.",
        {"experiment=makemore_part3": ["experiment=makemore_part3", STEPS + "300"]},
        "five_diagnostics",
    ),
)  # fmt: skip


def row(name: str, run: Run) -> list[str]:
    """What the table says of a run: the first measured step, but for loss and dead units."""
    figures, at = run.figures, hidden(run)
    assert figures is not None
    std, grad = (figures[key][0, at] for key in ("activation_std", "activation_grad_rms"))
    saturated = figures["saturated"][0, at]
    dead = dead_share(run)
    known = dead[np.isfinite(dead)]
    loss = run.scalars["train/loss"].values
    return [
        name,
        f"{std[0]:.3g} to {std[-1]:.3g}",
        "–" if np.isnan(saturated).all() else f"{saturated.min():.0%} to {saturated.max():.0%}",
        f"{grad[0] / grad[-1]:.3g}",
        f"{known[-1]:.0%}" if known.size else "–",
        f"{loss[0]:.3g} to {loss[-1]:.3g}",
        ", ".join(dict.fromkeys(f"{each.rule} ({each.severity})" for each in run.findings)) or "–",
    ]


COLUMNS = (
    "run", "std, first to last layer", "saturated, least to most",
    "gradient, first / last layer", "dead units, end", "loss, first to last step", "found",
)  # fmt: skip


def trained(folder: Path, overrides: Sequence[str]) -> Run | str:
    """Train in `folder`; the run, or why there is none. What it prints lies in `printed.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", [f"folder={folder}", *QUIET, *overrides])
    with (
        (folder / "printed.txt").open("w", encoding="utf-8") as printed,
        redirect_stdout(printed),
        redirect_stderr(printed),
    ):
        train(cfg)
    status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    return read(folder) if status.get("steps") else str(status.get("reason"))


def lesson(
    folder: Path, exercises: Sequence[Exercise] = EXERCISES, most: int | None = None
) -> Path:
    """Run the exercises in `folder/runs`, and write the page; its path.

    Args:
        folder: is made.
        exercises: in the order of the page; a run that two of them have is done once.
        most: steps of a run, where fewer than it has.
    """
    wanted = {tuple(run): run for exercise in exercises for run in exercise.runs.values()}
    made: dict[tuple[str, ...], Run | str] = {}
    moment = time.strftime("%Y-%m-%d_%H-%M-%S")
    for place, (key, overrides) in enumerate(wanted.items(), 1):
        started = time.monotonic()
        short = [] if most is None else [f"{STEPS}{most}"]
        kept = [each for each in overrides if not (short and each.startswith(STEPS))]
        made[key] = trained(folder / "runs" / moment / f"{place:02d}", [*kept, *short])
        took = time.monotonic() - started
        print(f"[{place}/{len(wanted)}] {' '.join(overrides)}, {took:.1f} s", flush=True)
    sections = []
    for exercise in exercises:
        runs = {name: made[tuple(run)] for name, run in exercise.runs.items()}
        whole = {name: run for name, run in runs.items() if isinstance(run, Run)}
        png = PICTURES[exercise.picture](whole) if whole else b""
        sections.append(
            {
                "exercise": exercise,
                "commands": [f"python train.py {' '.join(run)}" for run in exercise.runs.values()],
                "picture": base64.b64encode(png).decode(),
                "rows": [row(name, run) for name, run in whole.items()],
                "failed": {name: run for name, run in runs.items() if isinstance(run, str)},
            }
        )
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    page = environment.get_template("lesson.html").render(sections=sections, columns=COLUMNS)
    return write_whole(folder / NAME, page)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 2 for arguments that cannot be used."""
    parser = OneSentenceParser(prog="make lesson", description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "logs" / "lesson")
    parser.add_argument("--steps", type=int, help="of a run at most; fewer is quicker")
    options = parser.parse_args(arguments)
    if options.steps is not None and options.steps < 1:
        parser.error(f"--steps must be at least 1, got {options.steps}")
    started = time.monotonic()
    try:
        page = lesson(options.folder, most=options.steps)
    except OSError as error:
        parser.error(
            f"--folder must be one that can be written to, got {options.folder}: {error.strerror}"
        )
    print(f"lesson: {page}, {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
