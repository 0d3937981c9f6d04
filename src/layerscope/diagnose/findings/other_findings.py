"""The findings that no rule makes of figures: `not_measured` and `unexpected`."""

from collections.abc import Mapping, Sequence
from typing import Any

from layerscope.diagnose.findings.finding import Finding


def not_measured_finding(reasons: Mapping[str, str]) -> Finding:
    """A note about the layers that were not measured: a blank chart looks like a healthy one.

    Args:
        reasons: by layer, at least one.
    """
    layer, reason = next(iter(reasons.items()))
    more = len(reasons) - 1
    others = f", nor could those of {more} other layer{'s' * (more > 1)}" if more else ""
    return Finding.of_no_figures(
        "not_measured",
        layer,
        0,
        severity="note",
        layers=len(reasons),
        source="its hooks never fired",
        explanation=f"the outputs of {layer} could not be measured{others}: {reason}",
        remedy="call the module itself instead of a function on its weights, and compile the "
        "network after the monitor has put its hooks on; or leave it out by the setting layers",
        layer_names=tuple(reasons),
    )


def departure_finding(found: Sequence[Mapping[str, Any]], hidden: Sequence[str]) -> Finding:
    """A network that is far from theory: the finding that `theory.departures_in_words` comes to.

    Args:
        found: what it gave, at least one: the first is where to look.
        hidden: names of the hidden layers, at least one.
    """
    first = found[0]
    places = sorted({each["layer"] for each in found if each["layer"] is not None})
    place = first["layer"]
    return Finding.of_no_figures(
        "unexpected",
        hidden[-1] if place is None else hidden[place],
        0,
        layers=len({each["layer"] for each in found}),
        value=float(first["measured"]),
        threshold=float(first["predicted"]),
        source="mean-field theory, docs/theory.md",
        explanation=str(first["sentence"]),
        remedy="layerscope predict, with the same overrides, shows what is expected of "
        "every layer; compare it with the module's forward and with what sets its weights",
        layer_names=tuple(hidden[at] for at in places) or (hidden[-1],),
    )
