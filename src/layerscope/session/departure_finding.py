"""A network that is far from theory, as a finding among the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerscope.diagnose import Finding


def departure_finding(found: Sequence[Mapping[str, Any]], hidden: Sequence[str]) -> Finding:
    """The finding that `theory.unexpected` comes to.

    Args:
        found: what it gave, at least one: the first is where to look.
        hidden: names of the hidden layers, at least one.
    """
    first = found[0]
    place = first["layer"]
    return Finding(
        rule="unexpected",
        severity="warning",
        layer=hidden[-1] if place is None else hidden[place],
        step=0,
        layers=len({each["layer"] for each in found}),
        last_step=0,
        value=float(first["measured"]),
        worst=float(first["measured"]),
        threshold=float(first["predicted"]),
        source="mean-field theory, docs/theory.md",
        explanation=str(first["sentence"]),
        remedy="python -m layerscope predict, with the same overrides, shows what is expected of "
        "every layer; compare it with the module's forward and with what sets its weights",
    )
