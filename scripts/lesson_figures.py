"""The runs of the lesson: which of their layers are drawn, which figures, and how."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from layerscope.pictures.picture import BLUE, ORANGE, VERMILION
from layerscope.run import Run

Runs = Mapping[str, Run]
LOOKS = ((VERMILION, "o"), (BLUE, "s"), (ORANGE, "^"))
"""A colour and a mark for each of three runs, in every picture the same place."""

SIZES = {"o": 5, "s": 7, "^": 4}
"""Of marks: where two lines lie on one another, both are seen."""


def hidden(run: Run) -> list[int]:
    """Where the hidden layers are among the layers: those that end with an activation function."""
    assert run.figures is not None
    return [at for at, layer in enumerate(run.figures.layers) if layer.nonlinearity is not None]


def linear(run: Run) -> list[int]:
    """Where the layers with a weight matrix are, the logits among them."""
    assert run.figures is not None
    return [at for at, layer in enumerate(run.figures.layers) if layer.width is not None]


def dead_share(run: Run) -> npt.NDArray[np.float64]:
    """Of all hidden units, at each step; NaN where that was not judged yet."""
    assert run.figures is not None
    dead, units = (run.figures[name][:, hidden(run)].sum(1) for name in ("dead_units", "units"))
    share: npt.NDArray[np.float64] = dead / units
    return share


def of_step_0(run: Run, name: str) -> npt.NDArray[np.float32]:
    """A figure of each hidden layer at the first step."""
    assert run.figures is not None
    values: npt.NDArray[np.float32] = run.figures[name][0, hidden(run)]
    return values


def diagnosis(run: Run) -> dict[str, Any]:
    """Its diagnosis.json."""
    told: dict[str, Any] = json.loads((run.folder / "diagnosis.json").read_text(encoding="utf-8"))
    return told


def first_step(run: Run) -> dict[str, Any]:
    """What diagnosis.json says of the first step."""
    step: dict[str, Any] = diagnosis(run)["steps"][0]
    return step
