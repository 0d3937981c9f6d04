"""What a run is found to have, told at its end: the findings with their causes, and the files."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.text import Text

from layerscope.console.plain_table import STYLES
from layerscope.diagnose import SEVERITIES, Finding
from layerscope.diagnose.findings.severity import counted

WIDTH = 80
"""Columns at most."""


def summary(
    findings: Sequence[Finding | Mapping[str, Any]],
    files: str | PathLike[str] | None = None,
    steps: int | None = None,
    patience: int = 0,
    lasting: int = 0,
    *,
    whole: bool = False,
    failed: bool = False,
) -> RenderableType:
    """Each finding with its mark, place, sentence and what to type; the last line counts them.

    What follows from a finding above it (its `because` names the rule of that one) is indented,
    without what to type: to mend the cause is to mend it. A finding that follows from none says how
    sure it is. The last line is like `1 critical, 1 warning · files: logs/mine`. At most 80
    columns wide; names may hold anything, and no markup is read in them. A run that is
    too short for rules of layers, or, without a warning, for that of the loss, says so above it.
    Harmless notes are one line together.

    Args:
        findings: in the order of telling; as `Judge.findings` or diagnosis.json
            has them.
        files: where the run's files are; None leaves the last line out.
        steps: how many the run has; None if that is not to be told.
        patience: how many it takes to judge whether the loss falls.
        lasting: how many it takes to judge a layer.
        whole: whether harmless notes are told like all others.
        failed: whether the instrument has failed in the step after these, and judged no other.
    """
    known = [each if isinstance(each, Finding) else Finding.of_json(each) for each in findings]
    lines: list[RenderableType] = []
    quiet = [] if whole else [each for each in known if each.harmless]
    told: set[str] = set()
    for each in known:
        if each not in quiet:
            lines += _lines(each, follows=each.because in told)
            told.add(each.rule)
    if quiet:
        lines.append(_in_a_line(quiet))
    severities = [each.severity for each in known]
    worst = max(severities, key=SEVERITIES.index, default=None)
    if steps is not None and (steps < lasting or (steps < patience and worst in (None, "note"))):
        what, least = "its layers", lasting
        if steps >= lasting:
            what, least = "whether the loss falls", patience
        lines.append(Text(f"too short to judge {what}: {steps} of {least} steps", style="dim"))
    if failed:
        unseen = f"! what came after step {(steps or 0) - 1} was not judged"
        lines.append(Text(unseen, style=STYLES["warning"]))
    if files is not None:
        style = STYLES[worst] if worst is not None else "default" if failed else "green"
        last = Text(counted(severities), style=style)
        last.append(f" · files: {from_here(files)}", style="default")
        last.overflow = "fold"
        lines.append(last)
    return Constrain(Group(*lines), WIDTH)


def from_here(path: str | PathLike[str]) -> Path:
    """A path as one would type it: what lies below the current folder without that. The current
    folder itself has its whole name: a `.` at a sentence's end is no path to a reader.
    """
    path, here = Path(path), Path.cwd()
    if path.absolute() == here:
        return here
    return path.relative_to(here) if path.is_relative_to(here) else path


def _lines(finding: Finding, *, follows: bool) -> list[RenderableType]:
    shown = finding.printable()
    head = Text(f"{shown.mark} {shown.rule}", style=STYLES[finding.severity])
    head.append(f" ({shown.place}): {shown.explanation}", style="default")
    if follows:
        return [_indented(head)]
    head.overflow = "fold"
    lines: list[RenderableType] = [head]
    if shown.remedy:
        lines.append(_indented(Text(f"→ {shown.remedy}")))
    if shown.how_sure:
        lines.append(_indented(Text(shown.how_sure, style="dim")))
    return lines


def _in_a_line(quiet: Sequence[Finding]) -> Text:
    shown = (each.printable() for each in quiet)
    places = ", ".join(f"{each.rule} ({each.layer})" for each in shown)
    more = f"`layerscope explain {quiet[0].rule}` tells more"
    return Text(f"· nothing to mend while the loss falls: {places}; {more}", style="dim")


def _indented(text: Text) -> RenderableType:
    text.overflow = "fold"
    return Padding(text, (0, 0, 0, 2), expand=False)
