"""The findings of a run, in the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from layerscope.console.plain_table import STYLES
from layerscope.diagnose import Finding
from layerscope.diagnose.finding_cells import FindingCells, counted

_LONGEST = {"rule": 22, "layer": 14}  # of a cell; with the numbers, 80 columns
_HEADS = ("rule", "layer", "step", "layers", "steps", "value and limit")


def findings_table(findings: Sequence[Finding | Mapping[str, Any]]) -> RenderableType:
    """One line per finding, and what to change below it; at most 80 columns wide.

    Names may hold anything: no markup is read in them. Of a layer's name with more than 14
    characters the line leaves out the middle, and the line below begins with the whole.

    Args:
        findings: in the order of telling; as `Judge.findings` or diagnosis.json
            has them. Without any, one line says so.
    """
    cells = [FindingCells.of(finding) for finding in findings]
    if not cells:
        return Text(f"✓ {counted([])}", style="green")
    rows = [_row(each) for each in cells]
    widths = [max(map(cell_len, column)) for column in zip(_HEADS, *rows, strict=True)]
    lines: list[RenderableType] = [
        Text(f"Findings: {counted([each.severity for each in cells])}", style="italic"),
        Text(f"  {_aligned(_HEADS, widths)}", style="bold", no_wrap=True),
    ]
    for each, row in zip(cells, rows, strict=True):
        line = f"{each.mark} {_aligned(row, widths)}"
        lines.append(Text(line, style=STYLES[each.severity], no_wrap=True))
        whole = "" if each.layer in row else f"{each.layer}: "
        lines.append(
            Padding(Text(whole + each.remedy, overflow="fold"), (0, 0, 0, 4), expand=False)
        )
    return Group(*lines)


def _row(cells: FindingCells) -> tuple[str, ...]:
    return (
        _shortened(cells.rule, _LONGEST["rule"]),
        _shortened(cells.layer, _LONGEST["layer"]),
        cells.step,
        cells.layers,
        cells.steps,
        cells.comparison,
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Words to the left, counts to the right."""
    padded = []
    for head, cell, width in zip(_HEADS, row, widths, strict=True):
        space = " " * (width - cell_len(cell))
        padded.append(space + cell if head in ("step", "layers", "steps") else cell + space)
    return " ".join(padded).rstrip()


def _shortened(name: str, longest: int) -> str:
    """A name without its middle, so that both of what tells it apart stay."""
    if cell_len(name) <= longest:
        return name
    front, back = "", ""
    for first, last in zip(name, reversed(name), strict=True):
        if cell_len(front + first + "…" + back) > longest:
            break
        front += first
        if cell_len(front + "…" + last + back) > longest:
            break
        back = last + back
    return f"{front}…{back}"
