"""The per-layer health table in the console."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from layerscope.console.gradient_flow import flow_in_words
from layerscope.console.plain_table import NOTHING, STYLES, plain_table, short_exponent
from layerscope.diagnose import Finding, worst_by_layer

_CAPTION = (
    "{saturated}gradient: RMS of d loss / d activation{unit}; weight: RMS of d loss / d weight; "
    "finding: the layer's worst, and in which steps{brackets}."
)
_SATURATED = "sat.: share of outputs near the ends of the activation's range; "
_UNIT = ", as a multiple of the last hidden layer's"
_BRACKETS = "; (in brackets): what theory expects of step 0"
_LONGEST_NAME = 20  # columns; a longer one goes on in the next line
_MOST = 25  # rows a step, and those that findings name: what stands above stays on a screen


def health_table(diagnosis: Mapping[str, Any]) -> Table:
    """One line per layer, for the first and the last step; at most 80 columns wide, and on a
    narrower terminal without some figures. Of many layers the first, the last, some evenly between,
    and those that a finding begins in.

    The worst finding that names a layer stands beside it, in a step by which it had begun; a layer
    that no finding names has a dash. There is no other judgement. Below the table a sentence says
    what becomes of the gradient, of a healthy network too.

    With a prediction, 100 columns are better, as the std and the gradient that theory expects of
    step 0 stand in brackets beside those that were measured. Gradients are then multiples of the
    last hidden layer's, as theory knows no more of them.

    Args:
        diagnosis: the content of diagnosis.json, with at least one step.
    """
    steps = diagnosis["steps"]
    hidden = [entry["layer"] for entry in steps[0]["layers"] if "predicted" in entry]
    names = [entry["layer"] for step in steps for entry in step["layers"]]
    known = bool(hidden)
    shown = steps if steps[0]["step"] != steps[-1]["step"] else steps[:1]
    activations = [entry.get("activation", {}) for step in shown for entry in step["layers"]]
    saturable = any(each.get("saturated") is not None for each in activations)
    caption = _CAPTION.format(
        saturated=_SATURATED * saturable, unit=_UNIT * known, brackets=_BRACKETS * known
    )
    findings = [Finding.of_json(each) for each in diagnosis.get("findings") or ()]
    reached = [entry["layer"] for entry in steps[0]["layers"] if "activation" in entry]
    rows = _rows(reached, findings)
    every = len(rows) == len(reached)
    table = plain_table(
        "Health of every layer" if every else f"Health of {len(rows)} of {len(reached)} layers",
        Text("\n".join(filter(None, [gradient_sentence(diagnosis), caption]))),
    )
    longest = min(max(map(cell_len, names), default=0), _LONGEST_NAME)
    table.add_column("layer", min_width=min(longest, 9), max_width=_LONGEST_NAME, overflow="fold")
    for name in ("mean", "std", "sat.", "gradient", "weight"):
        if name != "sat." or saturable:
            table.add_column(name, justify="right", no_wrap=True)
    table.add_column("finding", overflow="fold", min_width=7)
    table.spare = ("weight", "mean", "sat.", "std", "gradient")
    for step in shown:
        table.add_section()
        table.add_row(Text(f"step {step['step']}", style="bold"))
        worst = worst_by_layer(findings, step["step"])
        unit = None
        if hidden:
            gradients = {entry["layer"]: _gradient(entry) for entry in step["layers"]}
            unit = gradients.get(hidden[-1]) or math.nan
        for entry in step["layers"]:
            if "activation" in entry and (every or entry["layer"] in rows):
                # A Text, since a name with brackets would be read as markup.
                layer = Text(entry["layer"])
                found = finding_cell(worst.get(entry["layer"]), entry["layer"], step["step"])
                table.add_row(layer, *_figures(entry, unit, saturable), found)
    return table


def _rows(names: Sequence[str], findings: Sequence[Finding]) -> set[str]:
    if len(names) <= _MOST:
        return set(names)
    evenly = {names[i * (len(names) - 1) // (_MOST - 1)] for i in range(_MOST)}
    return evenly | {each.layer for each in findings}.intersection(names)


def _figures(entry: Mapping[str, Any], unit: float | None, saturable: bool) -> tuple[str, ...]:
    """The cells of a layer; its gradient in a unit, if there is one; saturation, if any layer's."""
    activation, gradient = entry["activation"], _gradient(entry)
    weight = entry.get("weight_grad", {}).get("rms")
    unknown = "NaN" if activation["nonfinite"] else NOTHING
    predicted = entry.get("predicted", {})
    if unit is None or gradient is None:
        told = _number(gradient, "{:.1e}")
    else:
        told = _beside(gradient / unit, predicted.get("activation_grad"))
    return (
        _mean(activation["mean"], unknown),
        _beside(activation["std"], predicted.get("std"), unknown),
        *([_number(activation["saturated"], "{:.1%}")] if saturable else []),
        told,
        short(weight),
    )


def _gradient(entry: Mapping[str, Any]) -> float | None:
    rms: float | None = entry.get("activation_grad", {}).get("rms")
    return rms


def _beside(measured: float | None, predicted: float | None, unknown: str = NOTHING) -> str:
    """What was measured, and in brackets what theory expects, where it does."""
    told = short(measured, unknown)
    return told if predicted is None else f"{told} ({short(predicted)})"


def short(value: float | None, unknown: str = NOTHING) -> str:
    """At least two digits, in as few characters as they need: 390, 0.0015, 1.5e-4."""
    if value is None or math.isnan(value):
        return unknown
    size = abs(value)
    form = ".1e" if 0 < size < 1e-3 else ".0f" if 100 <= size < 1e5 else ".2g"
    return short_exponent(format(value, form)).replace(".0e", "e")


def _mean(value: float | None, unknown: str) -> str:
    """With its sign, and two decimals: it is read beside the spread."""
    if value is None or math.isnan(value) or abs(value) < 100:
        return _number(value, "{:+.2f}", unknown)
    return f"{'+' if value > 0 else ''}{short(value)}"


def _number(value: float | None, form: str, unknown: str = NOTHING) -> str:
    return unknown if value is None else form.format(value)


def finding_cell(finding: Finding | None, layer: str, step: int) -> Text:
    """The mark and the rule of a layer's worst finding, and in which steps, by this one."""
    if finding is None:
        return Text(NOTHING, style="dim")
    first = finding.step_of(layer)
    if first == finding.last_step:
        steps = f"at {first}"
    else:
        steps = f"{first}–{finding.last_step}" if finding.last_step < step else f"from {first}"
    return Text(
        f"{finding.mark} {finding.printable().rule} {steps}", style=STYLES[finding.severity]
    )


def gradient_sentence(diagnosis: Mapping[str, Any]) -> str | None:
    """Say by which factor a layer the gradient changes toward the input in the first step.

    The geometric mean, from the last to the first hidden layer, of the RMS of d loss / d
    activation. Hidden layers are those that theory predicts; without a prediction, all but the last
    that a forward pass reached.

    Args:
        diagnosis: the content of diagnosis.json, with at least one step.

    Returns:
        None where there are not two such layers, or one of the two has no gradient.
    """
    step = diagnosis["steps"][0]
    reached = [entry for entry in step["layers"] if "activation" in entry]
    predicted = [entry for entry in reached if "predicted" in entry]
    hidden = predicted or reached[:-1]
    ends = [entry.get("activation_grad", {}).get("rms") for entry in (*hidden[:1], *hidden[-1:])]
    if len(hidden) < 2 or ends[0] is None or not ends[1]:
        return None
    where = f"{hidden[-1]['layer']} to {hidden[0]['layer']}"
    ratio = predicted[0]["predicted"]["activation_grad"] if predicted else None
    if ratio is not None:
        where += f"; theory expects {_a_layer(ratio, len(hidden)):.2g}"
    return f"Step {step['step']}: {flow_in_words(_a_layer(ends[0] / ends[1], len(hidden)), where)}."


def _a_layer(ratio: float, layers: int) -> float:
    """What one layer multiplies by, if so many change the gradient by this ratio."""
    return float(ratio ** (1 / (layers - 1)))
