"""A finding as the cells of a table: the console and TensorBoard tell the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layerscope.diagnose.finding import SEVERITIES, Finding

MARKS = {"critical": "✗", "warning": "!", "note": "·"}
"""Told apart by their shape: colour comes on top."""


@dataclass(frozen=True, slots=True)
class FindingCells:
    """One finding in words. Nothing is escaped; no cell has a line break or a control character.

    Attributes:
        mark: of `MARKS`.
        severity, rule, layer, explanation, remedy, because: as the finding has them.
        step: the first.
        layers, steps: how many.
        comparison: value and threshold, such as `0.75 > 0.2`; empty where there is neither.
    """

    mark: str
    severity: str
    rule: str
    layer: str
    step: str
    layers: str
    steps: str
    comparison: str
    explanation: str
    remedy: str
    because: str

    @classmethod
    def of(cls, finding: Finding | Mapping[str, Any]) -> FindingCells:
        """The cells of a finding, or of one as diagnosis.json has it."""
        f = finding if isinstance(finding, Finding) else Finding.of_json(finding)
        return cls(
            mark=MARKS[f.severity],
            severity=f.severity,
            rule=_one_line(f.rule),
            layer=_one_line(f.layer),
            step=str(f.step),
            layers=str(f.layers),
            steps=str(f.steps),
            comparison=_comparison(f.value, f.threshold),
            explanation=_one_line(f.explanation),
            remedy=_one_line(f.remedy),
            because=_one_line(f.because),
        )

    @property
    def place(self) -> str:
        """Where it is, and since when: `01_tanh and 4 more layers, since step 0`."""
        more = int(self.layers) - 1
        others = f" and {more} more layer{'s' if more > 1 else ''}" if more > 0 else ""
        return f"{self.layer}{others}, since step {self.step}"


def counted(severities: Sequence[str]) -> str:
    """How many of each severity there are, the worst first.

    >>> counted(["note", "warning", "critical", "warning"]), counted([])
    ('1 critical, 2 warnings, 1 note', 'no finding')
    """
    counts = {name: sum(each == name for each in severities) for name in reversed(SEVERITIES)}
    words = {"critical": "critical", "warning": "warnings", "note": "notes"}
    told = [
        f"{count} {words[name] if count > 1 else name}" for name, count in counts.items() if count
    ]
    return ", ".join(told) or "no finding"


def _comparison(value: float, threshold: float) -> str:
    if math.isnan(threshold):
        return "" if math.isnan(value) else f"{value:.3g}"
    sign = ">" if value > threshold else "<" if value < threshold else "≠"  # NaN, if not equal
    return f"{value:.3g} {sign if value != threshold else '='} {threshold:.3g}"


def _one_line(words: str) -> str:
    """Names are anybody's: what would break a line or drive a terminal is shown as a space."""
    return "".join(letter if letter.isprintable() else " " for letter in words)
