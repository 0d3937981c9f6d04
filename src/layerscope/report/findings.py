"""The findings of all runs, told once for each group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from layerscope.comparison.group import Group
from layerscope.diagnose import SEVERITIES
from layerscope.diagnose.findings.sureness import sure_words


@dataclass(frozen=True, slots=True)
class GroupFinding:
    """A rule's finding in a group: that of the run where it began first.

    Attributes:
        group: the group's label.
        severity: "critical", "warning", "note", or what the file has.
        rule, layer, layers, step, source, explanation, remedy, because: as diagnosis.json has
            them, as text; "" where it has none.
        runs: in how many of the group's runs, "2 of 3 runs".
        how_sure: of a warning or worse, such as "how sure: true in 16 of 16 test programs"; else
            "".
    """

    group: str
    severity: str
    rule: str
    layer: str
    layers: str
    step: str
    source: str
    explanation: str
    remedy: str
    because: str
    runs: str
    how_sure: str


def findings_of(groups: Sequence[Group]) -> tuple[list[GroupFinding], bool]:
    """All findings, and whether anybody looked.

    Of one group in the order in which to mend them, causes first; of several the gravest first, and
    then in order of rank.
    """
    told = [each for group in groups for each in _of_group(group)]
    if len(groups) > 1:
        told.sort(key=lambda finding: _gravity(finding.severity))
    judged = any(run.findings is not None for group in groups for run in group.runs)
    return told, judged


def _of_group(group: Group) -> list[GroupFinding]:
    by_rule: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    runs_with: dict[tuple[str, str], set[str]] = {}
    for run in group.runs:
        for finding in run.findings or ():
            rule = _text(finding.get("rule")), _text(finding.get("remedy"))
            by_rule.setdefault(rule, []).append(finding)
            runs_with.setdefault(rule, set()).add(run.name)
    count = len(group.runs)
    return [
        _finding(
            group.label,
            min(found, key=lambda finding: (_gravity(finding.get("severity")), _step(finding))),
            f"{len(runs_with[rule])} of {count} runs" if count > 1 else "",
        )
        for rule, found in by_rule.items()
    ]


def _finding(group: str, finding: Mapping[str, Any], runs: str) -> GroupFinding:
    told = {field.name: _text(finding.get(field.name)) for field in fields(GroupFinding)}
    judged = told["severity"] in SEVERITIES[1:]
    sure = f"how sure: {words}" if judged and (words := sure_words(told["rule"])) else ""
    return GroupFinding(**told | {"group": group, "runs": runs, "how_sure": sure})


def _gravity(severity: object) -> int:
    """The gravest first; what is none of ours last."""
    return -SEVERITIES.index(str(severity)) if severity in SEVERITIES else 1


def _step(finding: Mapping[str, Any]) -> float:
    step = finding.get("step")
    return step if isinstance(step, int | float) else float("inf")


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
