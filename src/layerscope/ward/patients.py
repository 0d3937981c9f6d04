"""The patients: nets in which a disease was planted, and healthy ones; what their charts show."""

import gzip
import json
import random
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from layerscope.arguments import at_least, at_most

HEALTHY = "healthy"
SICK, WELL = 20, 4
"""Patients of a round, unless another number is asked for."""

Values = Sequence[Sequence[float | None]]
"""[steps][layers]; None where it is not finite, or was not measured."""


@dataclass(frozen=True)
class Patient:
    """A net: what was planted in it, and what its charts show.

    Attributes:
        disease: the rule that was planted, or HEALTHY.
        activation: of its hidden layers, "tanh" or "relu".
        layer: where it was planted; "" of a healthy one.
        step: since when.
        found: what LayerScope's rules say of it, in a sentence; "" if they found nothing.
        also: what else they find there since then, by rule: it is as right an answer.
        layers: their names, the logits last.
        charts: by name, see `CHARTS`.
        loss: of each step.
        edges: [kept steps][layers][2] of the histograms.
        counts: base64 of uint8 [kept steps, layers, 30]: 255 sqrt(share of the fullest bucket).
    """

    disease: str
    activation: str
    layer: str
    step: int
    found: str
    also: Sequence[str]
    layers: Sequence[str]
    charts: Mapping[str, Values]
    loss: Sequence[float | None]
    edges: Sequence[Sequence[Sequence[float | None]]]
    counts: str

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """Of the histograms, each bucket over the fullest one: [kept steps, layers, 30]."""
        codes = np.frombuffer(b64decode(self.counts), np.uint8)
        return (codes.reshape(len(self.edges), len(self.layers), -1) / 255) ** 2

    @property
    def kept_steps(self) -> Sequence[int]:
        """The steps of the histograms."""
        return range(0, len(self.loss), len(self.loss) // len(self.edges))


@dataclass(frozen=True)
class Chart:
    """What a chart shows of each layer in each step.

    Attributes:
        title: with the unit.
        log: whether its axis is logarithmic; otherwise it goes from 0 to 1.
    """

    title: str
    log: bool


CHARTS: Mapping[str, Chart] = {
    "spread": Chart("Standard deviation of the outputs", log=True),
    "ends": Chart("Share at the ends of tanh, |output| > 0.97", log=False),
    "gradient": Chart("RMS of d loss / d output", log=True),
    "weight_gradient": Chart("RMS of d loss / d weight", log=True),
    "update": Chart("RMS(update) / RMS(weight)", log=True),
}
"""By name, in the order in which they are shown."""

SILENT = Chart("Share of units that no example makes active", log=False)
"""What takes the place of "ends" where outputs have none."""


def chart_of(patient: Patient, name: str) -> Chart:
    """What a patient's chart of that name shows."""
    return SILENT if name == "ends" and patient.activation == "relu" else CHARTS[name]


@cache
def all_patients() -> tuple[Patient, ...]:
    """All there are; `scripts/write_ward.py` has trained them."""
    packed = files("layerscope.ward").joinpath("patients.json.gz").read_bytes()
    told: list[dict[str, Any]] = json.loads(gzip.decompress(packed))
    return tuple(Patient(**each) for each in told)


def diseases() -> list[str]:
    """What a patient may have, HEALTHY last."""
    return [*sorted({each.disease for each in all_patients()} - {HEALTHY}), HEALTHY]


def ward(seed: int, number: int = SICK + WELL) -> list[Patient]:
    """The patients of a round, in a random order: of six, five are sick.

    Args:
        seed: the same ward for the same seed.

    Raises:
        ValueError: number is below 1, or there are not so many.
    """
    at_least(1, patients=number)
    sick = [each for each in all_patients() if each.disease != HEALTHY]
    well = [each for each in all_patients() if each.disease == HEALTHY]
    most = min(len(sick) * (SICK + WELL) // SICK, len(well) * (SICK + WELL) // WELL)
    at_most(most, patients=number)
    draw, of_well = random.Random(seed), round(number * WELL / (SICK + WELL))
    chosen = draw.sample(sick, number - of_well) + draw.sample(well, of_well)
    draw.shuffle(chosen)
    return chosen
