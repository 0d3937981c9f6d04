"""Measure the runs that docs/course.md tells of, and write docs/lesson/course.json.

python scripts/measure_course.py
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from layerscope.commands.one_sentence_parser import OneSentenceParser  # noqa: E402
from layerscope.run import Run  # noqa: E402
from scripts.lesson_figures import hidden, linear  # noqa: E402
from scripts.write_lesson import STEPS, trained  # noqa: E402

FILE = ROOT / "docs" / "lesson" / "course.json"
COMMANDS = (
    *(f"experiment=five_layers init={init}" for init in ("random", "kaiming", "xavier")),
    "experiment=vanishing",
    *(f"experiment=notebook init={init}" for init in ("random", "kaiming", "xavier")),
    *(f"experiment=cure model.norm={norm}" for norm in ("null", "batch", "layer", "rms")),
    "experiment=cure model.residual=true",
    "experiment=dead_relu",
)
WHOLE = ("experiment=dead_relu",)
"""Of these the end is told as well; of the others step 0, and no more is trained."""
Figures = dict[str, list[float]]


def measured(command: str) -> Figures:
    """Of each hidden layer at step 0: std, saturated share, RMS of d loss / d activation; of each
    weight matrix the mean |gradient|. Of WHOLE, at the end: the share of zeros, and the val/loss.
    """
    with TemporaryDirectory() as folder:
        short = () if command in WHOLE else (f"{STEPS}1",)
        run = trained(Path(folder) / "run", [*command.split(), *short])
        if not isinstance(run, Run):
            raise RuntimeError(f"{command} did not run: {run}")
        told = json.loads((Path(folder) / "run" / "diagnosis.json").read_text(encoding="utf-8"))
    assert run.figures is not None
    names = [layer.name for layer in run.figures.layers]
    layers, last = ({of["layer"]: of for of in told["steps"][at]["layers"]} for at in (0, -1))
    of_hidden = [layers[names[at]] for at in hidden(run)]
    bounded = [each for each in of_hidden if each["activation"]["saturated"] is not None]
    values: dict[str, list[Any]] = {
        "std": [each["activation"]["std"] for each in of_hidden],
        "saturated": [each["activation"]["saturated"] for each in bounded],
        "grad": [each["activation_grad"]["rms"] for each in of_hidden],
        "weight_grad": [layers[names[at]]["weight_grad"]["mean_abs"] for at in linear(run)],
    }
    if command in WHOLE:
        values["zeros_end"] = [last[names[at]]["activation"]["zeros"] for at in hidden(run)]
        values["val_loss"] = [run.scalars["val/loss"].values[-1]]
    return {name: [float(f"{value:.5g}") for value in of] for name, of in values.items()}


def main() -> int:
    """Write the file."""
    OneSentenceParser(description=__doc__.split("\n\n")[0]).parse_args()
    figures = {command: measured(command) for command in COMMANDS}
    FILE.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
