"""The layers of a single run as rows: what they measure, and the worst finding of each."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from layerscope.comparison.run import Run
from layerscope.console.health_table import short
from layerscope.console.plain_table import NOTHING
from layerscope.diagnose import Finding, worst_by_layer


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer: its figures at the end, its gradient at both ends, as text, and its worst finding.

    `severity`, `rule` and `step` are "" where no finding names the layer.
    """

    name: str
    std: str
    saturated: str
    dead: str
    gradient_start: str
    gradient_end: str
    severity: str = ""
    rule: str = ""
    step: str = ""


def layer_rows(run: Run) -> list[LayerRow]:
    """A row for each layer that a forward pass reaches, in its order; none without figures."""
    history = run.history
    if history is None:
        return []
    worst = worst_by_layer(_readable(run.findings or ()))
    rows = []
    for i in history.reached:
        name = history.layers[i].name
        found = worst.get(name)
        told = (found.severity, found.rule, str(found.step_of(name))) if found else ()
        rows.append(
            LayerRow(
                name,
                short(float(history.end["activation_std"][i])),
                _text(history.end["saturated"][i], ".1%"),
                _text(history.end["dead"][i], ".1%"),
                short(float(history.start["activation_grad_rms"][i])),
                short(float(history.end["activation_grad_rms"][i])),
                *told,
            )
        )
    return rows


def _readable(findings: Iterable[Mapping[str, Any]]) -> Iterable[Finding]:
    """Those of this version; a file may be anybody's."""
    for each in findings:
        try:
            yield Finding.of_json(each)
        except (KeyError, TypeError, ValueError):
            continue


def _text(value: float, form: str) -> str:
    return NOTHING if math.isnan(value) else format(float(value), form)
