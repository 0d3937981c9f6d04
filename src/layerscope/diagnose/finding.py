"""What the rules found: a disease, where and when it began, and what to change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from layerscope.diagnose.plain_types import check_types

SEVERITIES = ("note", "warning", "critical")
"""A note is worth a look, a warning is a disease; with a critical one training cannot succeed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One disease of a run, as plain types.

    When a note becomes a warning, layer and step become those of the warning. A warning that
    becomes critical keeps them.

    Attributes:
        rule: the name of the rule that found it.
        severity: one of SEVERITIES.
        layer: the first layer: of those that fell ill in `step`, the first in forward order. Or
            what is no layer: "inputs", "output", "loss", "optimizer", "network".
        step: the first step. If a symptom must last before it counts, the step when it began.
        layers: how many layers have it, or had it.
        last_step: the last step so far that showed it.
        value: what was measured in that layer in that step.
        worst: the value furthest beyond the threshold so far, of any layer and step.
        threshold: what the value was compared with.
        source: where the threshold comes from.
        explanation: one sentence, with figures.
        remedy: what to type after `layerscope train`, or in PyTorch's words what to change in a
            network of one's own.
        layer_names: the layers that have it, or had it, in forward order; empty if unknown, as in
            files of before, and of what belongs to no layer.
        layer_steps: of each of these, the step in which it fell ill; empty if unknown.
        because: the rule of the finding that this one follows from; "" if none is known.
    """

    rule: str
    severity: str
    layer: str
    step: int
    layers: int
    last_step: int
    value: float
    worst: float
    threshold: float
    source: str
    explanation: str
    remedy: str
    layer_names: tuple[str, ...] = ()
    layer_steps: tuple[int, ...] = ()
    because: str = ""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity must be one of {SEVERITIES}, got {self.severity!r}")

    @property
    def steps(self) -> int:
        """From the first to the last step that showed it, both counted."""
        return self.last_step - self.step + 1

    def step_of(self, layer: str) -> int:
        """When a layer fell ill; the first step if it is not known of each."""
        return dict(zip(self.layer_names, self.layer_steps, strict=False)).get(layer, self.step)

    def _repr_html_(self) -> str:
        """For notebooks."""
        from layerscope.diagnose.findings import findings_html  # which knows this class

        return findings_html([self])

    def as_json(self) -> dict[str, Any]:
        """Plain types for JSON, which has no NaN and no infinity: None. `of_json` reads them."""
        plain = asdict(self) | {"steps": self.steps}
        for name in _SEQUENCES:
            plain[name] = list(plain[name])
        for name in _NUMBERS:
            if not math.isfinite(plain[name]):
                plain[name] = None
        return plain

    @classmethod
    def of_json(cls, finding: Mapping[str, Any]) -> Finding:
        """The finding that `as_json` gave; what was None is NaN.

        Raises:
            ValueError: a value is of another type; KeyError or TypeError, where one is missing.
        """
        names = {each.name for each in fields(cls)}
        plain = {name: value for name, value in finding.items() if name in names}
        for name in _NUMBERS:
            plain[name] = math.nan if plain[name] is None else plain[name]
        for name in _SEQUENCES:
            plain[name] = tuple(plain.get(name) or ())
        read = cls(**plain)
        check_types(read)
        return read


_SEQUENCES = ("layer_names", "layer_steps")
_NUMBERS = ("value", "worst", "threshold")
