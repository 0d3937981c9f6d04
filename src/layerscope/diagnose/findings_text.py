"""The findings of a run as Markdown, for TensorBoard's Text tab."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from layerscope.diagnose import Finding
from layerscope.diagnose.finding_cells import FindingCells, counted

TAG = "findings"
"""Of the text in TensorBoard."""

_HEADS = (
    "", "severity", "rule", "first layer", "first step", "layers", "steps", "value and limit",
    "explanation", "remedy",
)  # fmt: skip


def findings_markdown(findings: Sequence[Finding | Mapping[str, Any]]) -> str:
    """A table with a row per finding, the remedy as code; without any, a sentence.

    TensorBoard renders it with Python-Markdown and its tables. What names hold is shown as it is:
    neither Markdown nor HTML in them is read.

    Args:
        findings: in the order of telling, the worst first; as `Judge.findings` or diagnosis.json
            has them.
    """
    cells = [FindingCells.of(finding) for finding in findings]
    if not cells:
        return f"**{counted(cells)}**: no rule has anything to say about this run."
    rows = [
        (
            *map(_escaped, (each.mark, each.severity, each.rule, each.layer)),
            *map(_escaped, (each.step, each.layers, each.steps, each.comparison)),
            _escaped(each.explanation),
            _code(each.remedy),
        )
        for each in cells
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in (_HEADS, ["---"] * len(_HEADS), *rows))
    return f"**{counted(cells)}**\n\n{table}\n"


def _escaped(words: str) -> str:
    """Text that Markdown shows as it is; the characters that it reads have a backslash."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|])", r"\\\1", escape(words, quote=False))


def _code(words: str) -> str:
    """Code that Markdown shows as it is, between more backticks than it has in a row."""
    if not words.strip():
        return ""
    longest = max(map(len, re.findall("`+", words)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""  # Markdown takes it away again
    return f"{fence}{space}{words}{space}{fence}"
