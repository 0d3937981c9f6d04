"""The findings of a run as Markdown, for TensorBoard's Text tab."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from layerscope.diagnose import Finding
from layerscope.diagnose.finding_cells import FindingCells, counted

TAG = "findings"
"""Of the text in TensorBoard."""


def findings_markdown(findings: Sequence[Finding | Mapping[str, Any]]) -> str:
    """A list with an item per finding, the remedy as code; without any, a sentence.

    A list, since TensorBoard's narrow pane breaks the words of a table with ten columns. It renders
    it with Python-Markdown. What names hold is shown as it is: neither Markdown nor HTML in them is
    read.

    Args:
        findings: in the order of telling; as `Judge.findings` or diagnosis.json
            has them.
    """
    cells = [FindingCells.of(finding) for finding in findings]
    told = f"**{counted([each.severity for each in cells])}**"
    if not cells:
        return f"{told}: no rule has anything to say about this run."
    return "\n".join([told, "", *map(_item, cells)])


def _item(cells: FindingCells) -> str:
    """Two paragraphs: what was found where, and what to change."""
    where = f" in {_code(cells.layer)}" if cells.layer.strip() else ""
    layers = f", {cells.layers} layers" if cells.layers != "1" else ""
    compared = f": {cells.comparison}" if cells.comparison else ""
    because = f", because of {cells.because}" if cells.because else ""
    head = (
        f"- {_escaped(cells.mark)} **{cells.severity}: {_escaped(cells.rule)}**"
        f"{where}{layers}, from step {cells.step}, in {_of_steps(cells.steps)}"
        f"{_escaped(compared + because)}."
    )
    remedy = [f"    To change: {_code(cells.remedy)}", ""] if cells.remedy.strip() else []
    return "\n".join(
        [head, "", f"    {_escaped(cells.explanation.removesuffix('.'))}.", "", *remedy]
    )


def _of_steps(steps: str) -> str:
    return "1 step" if steps == "1" else f"{steps} steps"


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
