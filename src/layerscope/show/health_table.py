"""The per-layer health table in the console."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

# Told apart by their sign as well as their colour.
_MARKS = {
    "healthy": ("✓", "green"),
    "watch": ("!", "yellow"),
    "bad": ("✗", "bold red"),
    "not judged": ("·", "dim"),
}


def health_table(diagnosis: dict[str, Any]) -> Table:
    """One line per layer, for the first and the last step; at most 80 columns wide.

    Args:
        diagnosis: the content of diagnosis.json, with at least one step.
    """
    table = Table(
        title="Health of every layer",
        caption="saturated: share of outputs near the ends of the activation's range; "
        "gradient: RMS of d loss / d activation.",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("layer", no_wrap=True, min_width=9)
    for name in ("mean", "std", "saturated", "gradient"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict and threshold", overflow="fold")
    steps = diagnosis["steps"]
    for step in steps if steps[0]["step"] != steps[-1]["step"] else steps[:1]:
        table.add_section()
        table.add_row(Text(f"step {step['step']}", style="bold"))
        for entry in step["layers"]:
            if "activation" in entry:
                table.add_row(entry["layer"], *_figures(entry), _verdict(entry["verdict"]))
    return table


def _figures(entry: dict[str, Any]) -> tuple[str, ...]:
    activation, gradient = entry["activation"], entry.get("activation_grad", {})
    figures = (
        (activation["mean"], "{:+.2f}"),
        (activation["std"], "{:.2g}"),
        (activation["saturated"], "{:.1%}"),
        (gradient.get("rms"), "{:.1e}"),
    )
    return tuple("–" if value is None else form.format(value) for value, form in figures)


def _verdict(verdict: dict[str, str]) -> Text:
    mark, style = _MARKS[verdict["state"]]
    words = (
        verdict["reason"]
        if verdict["state"] == "not judged"
        else (f"{verdict['state']}: {verdict['reason']}")
    )
    return Text(f"{mark} {words}", style=style)
