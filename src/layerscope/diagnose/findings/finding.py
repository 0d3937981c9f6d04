"""What the rules found: a disease, where and when it began, and what to change."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from html import escape
from typing import Any

from layerscope.arguments import one_of
from layerscope.diagnose.findings.severity import MARKS, SEVERITIES, counted
from layerscope.diagnose.findings.sureness import sure_words, sureness_of
from layerscope.diagnose.measured.plain_types import check_types


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
        harmless: a note of what a layer shows, of a loss below 0, or of a few layers that are not
            measured, while the loss falls and nothing is warned of: it asks for nothing.
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
    harmless: bool = False

    def __post_init__(self) -> None:
        one_of(SEVERITIES, severity=self.severity)

    @classmethod
    def of_no_figures(
        cls,
        rule: str,
        layer: str,
        step: int,
        *,
        source: str,
        explanation: str,
        remedy: str,
        severity: str = "warning",
        value: float = math.nan,
        threshold: float = math.nan,
        layers: int = 0,
        layer_names: tuple[str, ...] = (),
    ) -> Finding:
        """One that is told once, of one step: no rule has made it of the figures of steps."""
        numbers = layers, step, value, value, threshold
        words = source, explanation, remedy
        return cls(rule, severity, layer, step, *numbers, *words, layer_names)

    @property
    def steps(self) -> int:
        """From the first to the last step that showed it, both counted."""
        return self.last_step - self.step + 1

    def step_of(self, layer: str) -> int:
        """When a layer fell ill; the first step if it is not known of each."""
        return dict(zip(self.layer_names, self.layer_steps, strict=False)).get(layer, self.step)

    @property
    def level(self) -> int:
        """The place of its severity in SEVERITIES."""
        return SEVERITIES.index(self.severity)

    @property
    def mark(self) -> str:
        """Of MARKS."""
        return MARKS[self.severity]

    @property
    def place(self) -> str:
        """Where it is, since when and why: `01_tanh and 4 more layers, since step 0`, or `5 layers,
        since step 0` where the explanation names the layer; `..., because of input_scale`.
        """
        more, since = self.layers - 1, f"since step {self.step}"
        since += f", because of {self.because}" if self.because else ""
        if re.search(rf"(?<![\w.]){re.escape(self.layer)}(?![\w.])", self.explanation):
            return f"{self.layers} layers, {since}" if more > 0 else since
        others = f" and {more} more layer{'s' if more > 1 else ''}" if more > 0 else ""
        return f"{self.layer}{others}, {since}"

    @property
    def how_sure(self) -> str:
        """`how sure: true in 11 of 12 test programs, the fault itself in 9`; "" of a note, and of a
        rule that was not met there.
        """
        words = "" if self.severity == "note" else sure_words(self.rule)
        return f"how sure: {words}" if words else ""

    def printable(self) -> Finding:
        """The same, to be shown: no text of it breaks a line or drives a terminal, whatever the
        names in it hold.
        """
        texts: dict[str, Any] = {name: _printable(getattr(self, name)) for name in _TEXTS}
        return replace(self, **texts)

    def _repr_html_(self) -> str:
        """For notebooks."""
        return findings_html([self])

    def as_json(self) -> dict[str, Any]:
        """Plain types for JSON, which has no NaN and no infinity: None. `of_json` reads them."""
        sure = None if self.severity == "note" else sureness_of(self.rule)
        plain = asdict(self) | {"steps": self.steps, "sure": sure and sure.as_json()}
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
_TEXTS = ("rule", "layer", "explanation", "remedy", "because")


def _printable(words: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in words)


def findings_html(findings: Sequence[Finding]) -> str:
    """Findings as HTML, with everything in them escaped. What follows from another is indented, and
    has no remedy: to mend the cause is to mend it.
    """
    rules = {each.rule for each in findings}
    items = []
    for each in findings:
        told = each.printable()
        follows = each.because in rules
        indent = ' style="margin-left:2em"' if follows else ""
        remedy = f"<br>→ {escape(told.remedy)}" if told.remedy and not follows else ""
        sure = f"<br><small>{told.how_sure}</small>" if told.how_sure and not follows else ""
        items.append(
            f"<li{indent}>{told.mark} <b>{escape(told.rule)}</b> ({escape(told.place)}): "
            f"{escape(told.explanation)}{remedy}{sure}</li>"
        )
    head = f"<p>{counted([each.severity for each in findings])}</p>"
    return head + (f'<ul style="list-style:none">{"".join(items)}</ul>' if items else "")


class Findings(list[Finding]):
    """Findings in the order in which to mend them: causes first."""

    def _repr_html_(self) -> str:
        """For notebooks: how many of each severity, and each with its sentence and remedy."""
        return findings_html(self)


def worst_by_layer(findings: Iterable[Finding], until: float = math.inf) -> dict[str, Finding]:
    """Of each layer that a finding names, the worst one; of equals, the first given.

    Only what the layer had by the step `until` counts.

    A finding that does not say which layers have it counts for its first layer alone.
    """
    worst: dict[str, Finding] = {}
    for finding in findings:
        for name in finding.layer_names or (finding.layer,):
            if finding.step_of(name) > until:
                continue
            known = worst.get(name)
            if known is None or finding.level > known.level:
                worst[name] = finding
    return worst
