"""A step's figures as rows of tables: one a layer, and one of the step."""

from layerscope.diagnose.measured.figure_names import LAYER_FIGURES, STEP_FIGURES
from layerscope.sinks.sink import StepRecord

LAYER_COLUMNS = ("step", "layer", *LAYER_FIGURES)
STEP_COLUMNS = ("step", "wall_time", *STEP_FIGURES)
FINDING_COLUMNS = (
    *("step", "rule", "severity", "layer", "value", "threshold", "explanation", "remedy"),
)


def layer_rows(record: StepRecord) -> list[list[object]]:
    """A row for each layer, as `LAYER_COLUMNS`; NaN is None."""
    of_layers = record.figures.of_layers[0].tolist()
    return [
        [record.step, facts.name, *map(_known, numbers)]
        for facts, numbers in zip(record.figures.layers, of_layers, strict=True)
    ]


def step_row(record: StepRecord) -> list[object]:
    """The row of the step, as `STEP_COLUMNS`; NaN is None."""
    of_step = record.figures.of_steps[0].tolist()
    return [record.step, record.wall_time, *map(_known, of_step)]


def _known(number: float) -> float | None:
    return number if number == number else None
