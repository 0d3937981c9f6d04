"""The findings of a run as Markdown, for TensorBoard's Text tab."""

import re
from collections.abc import Sequence
from html import escape

from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.findings.severity import counted

TAG = "findings"
"""Of the text in TensorBoard."""


def findings_markdown(findings: Sequence[Finding]) -> str:
    """A list with an item per finding, the remedy as code; without any, a sentence.

    A list, since TensorBoard's narrow pane breaks the words of a table with ten columns. It renders
    it with Python-Markdown. What names hold is shown as it is: neither Markdown nor HTML in them is
    read.

    Args:
        findings: in the order of telling.
    """
    told = f"**{counted([each.severity for each in findings])}**"
    if not findings:
        return f"{told}: no rule has anything to say about this run."
    rules = {each.rule for each in findings}
    items = (_item(each.printable(), follows=each.because in rules) for each in findings)
    return "\n".join([told, "", *items])


def _item(told: Finding, *, follows: bool) -> str:
    """Paragraphs: what was found where; and, if it follows from nothing, what to change, and how
    sure that is.
    """
    where = f" in {_code(told.layer)}" if told.layer.strip() else ""
    layers = f", {told.layers} layers" if told.layers != 1 else ""
    because = f", because of {told.because}" if told.because else ""
    head = (
        f"- {_escaped(told.mark)} **{told.severity}: {_escaped(told.rule)}**"
        f"{where}{layers}, from step {told.step}, in {told.steps} step{'s' * (told.steps != 1)}"
        f"{_escaped(because)}."
    )
    sentence = _escaped(told.explanation.removesuffix("."))
    lines = [head, "", f"    {sentence}.", ""]
    if told.remedy.strip() and not follows:
        lines += [f"    To change: {_code(told.remedy)}", ""]
    if told.how_sure and not follows:
        lines += [f"    {told.how_sure.capitalize()}.", ""]
    return "\n".join(lines)


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
