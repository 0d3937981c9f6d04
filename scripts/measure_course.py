"""Measure step 0 of the runs that docs/course.md tells of, and write docs/lesson/course.json.

python scripts/measure_course.py
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from layerscope.run import Run  # noqa: E402
from scripts.lesson_figures import hidden, linear  # noqa: E402
from scripts.write_lesson import STEPS, trained  # noqa: E402

FILE = ROOT / "docs" / "lesson" / "course.json"
COMMANDS = (
    *(f"experiment=five_layers init={init}" for init in ("random", "kaiming", "xavier")),
    "experiment=vanishing",
    *(f"experiment=notebook init={init}" for init in ("random", "kaiming", "xavier")),
)
Figures = dict[str, list[float]]


def measured(command: str) -> Figures:
    """Of each hidden layer at step 0: std, saturated share, RMS of d loss / d activation; of each
    weight matrix the mean |gradient|.
    """
    with TemporaryDirectory() as folder:
        run = trained(Path(folder) / "run", [*command.split(), f"{STEPS}1"])
        if not isinstance(run, Run):
            raise RuntimeError(f"{command} did not run: {run}")
        told = json.loads((Path(folder) / "run" / "diagnosis.json").read_text(encoding="utf-8"))
    layers = told["steps"][0]["layers"]
    of_hidden = [layers[at] for at in hidden(run)]
    values: dict[str, list[Any]] = {
        "std": [each["activation"]["std"] for each in of_hidden],
        "saturated": [each["activation"]["saturated"] for each in of_hidden],
        "grad": [each["activation_grad"]["rms"] for each in of_hidden],
        "weight_grad": [layers[at]["weight_grad"]["mean_abs"] for at in linear(run)],
    }
    return {name: [float(f"{value:.5g}") for value in of] for name, of in values.items()}


def main() -> int:
    """Write the file."""
    figures = {command: measured(command) for command in COMMANDS}
    FILE.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
