"""The per-layer health table in the console."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

# Told apart by their sign as well as their colour.
_MARKS = {
    "healthy": ("✓", "green"),
    "watch": ("!", "yellow"),
    "bad": ("✗", "bold red"),
    "not judged": ("·", "dim"),
}
_CAPTION = (
    "saturated: share of outputs near the ends of the activation's range; "
    "gradient: RMS of d loss / d activation"
)
_PREDICTED = (
    ", as a multiple of the last hidden layer's; (in brackets): what theory expects of step 0"
)
_LONGEST_NAME = 20  # columns; a longer one goes on in the next line


def health_table(diagnosis: Mapping[str, Any]) -> Table:
    """One line per layer, for the first and the last step; at most 80 columns wide.

    With a prediction, 100 columns are better, as the std and the gradient that theory expects of
    step 0 stand in brackets beside those that were measured. Gradients are then multiples of the
    last hidden layer's, as theory knows no more of them.

    Args:
        diagnosis: the content of diagnosis.json, with at least one step.
    """
    steps = diagnosis["steps"]
    hidden = [entry["layer"] for entry in steps[0]["layers"] if "predicted" in entry]
    names = [entry["layer"] for step in steps for entry in step["layers"]]
    table = Table(
        title="Health of every layer",
        caption=Text(f"{_CAPTION}{_PREDICTED if hidden else ''}."),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    longest = min(max(map(cell_len, names), default=0), _LONGEST_NAME)
    table.add_column("layer", min_width=max(longest, 9), max_width=_LONGEST_NAME, overflow="fold")
    for name in ("mean", "std", "saturated", "gradient"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict and threshold", overflow="fold")
    for step in steps if steps[0]["step"] != steps[-1]["step"] else steps[:1]:
        table.add_section()
        table.add_row(Text(f"step {step['step']}", style="bold"))
        unit = None
        if hidden:
            gradients = {entry["layer"]: _gradient(entry) for entry in step["layers"]}
            unit = gradients.get(hidden[-1]) or math.nan
        for entry in step["layers"]:
            if "activation" in entry:
                # A Text, since a name with brackets would be read as markup.
                layer = Text(entry["layer"])
                table.add_row(layer, *_figures(entry, unit), _verdict(entry["verdict"]))
    return table


def _figures(entry: Mapping[str, Any], unit: float | None) -> tuple[str, ...]:
    """The cells of a layer; its gradient in a unit, if there is one."""
    activation, gradient = entry["activation"], _gradient(entry)
    expected = entry.get("predicted", {})
    if unit is None or gradient is None:
        told = _number(gradient, "{:.1e}")
    else:
        told = _beside(gradient / unit, expected.get("activation_grad"))
    return (
        _number(activation["mean"], "{:+.2f}"),
        _beside(activation["std"], expected.get("std")),
        _number(activation["saturated"], "{:.1%}"),
        told,
    )


def _gradient(entry: Mapping[str, Any]) -> float | None:
    rms: float | None = entry.get("activation_grad", {}).get("rms")
    return rms


def _beside(measured: float | None, expected: float | None) -> str:
    """What was measured, and in brackets what theory expects, where it does."""
    told = _short(measured)
    return told if expected is None else f"{told} ({_short(expected)})"


def _short(value: float | None) -> str:
    """At least two digits, in as few characters as they need: 390, 0.0015, 1.5e-4."""
    if value is None or math.isnan(value):
        return "–"
    size = abs(value)
    form = ".1e" if 0 < size < 1e-3 else ".0f" if 100 <= size < 1e5 else ".2g"
    written = format(value, form)
    return re.sub(r"(\.0)?e\+?(-?)0?(\d)", r"e\2\3", written)


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _verdict(verdict: Mapping[str, str]) -> Text:
    mark, style = _MARKS[verdict["state"]]
    words = (
        verdict["reason"]
        if verdict["state"] == "not judged"
        else (f"{verdict['state']}: {verdict['reason']}")
    )
    return Text(f"{mark} {words}", style=style)
