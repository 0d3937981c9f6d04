"""The findings of a run: a list that a notebook shows as text with marks."""

from collections.abc import Iterable
from html import escape

from layerscope.diagnose.finding import Finding
from layerscope.diagnose.finding_cells import FindingCells, counted


class Findings(list[Finding]):
    """Findings in the order in which to mend them: causes first."""

    def _repr_html_(self) -> str:
        """For notebooks: how many of each severity, and each with its sentence and remedy."""
        return findings_html(self)


def findings_html(findings: Iterable[Finding]) -> str:
    """Findings as HTML, with everything in them escaped; what follows from another is indented."""
    known = list(findings)
    rules = {each.rule for each in known}
    items = []
    for each in known:
        cells = FindingCells.of(each)
        indent = ' style="margin-left:2em"' if each.because in rules else ""
        remedy = f"<br>→ {escape(cells.remedy)}" if cells.remedy else ""
        items.append(
            f"<li{indent}>{cells.mark} <b>{escape(cells.rule)}</b> ({escape(cells.place)}): "
            f"{escape(cells.explanation)}{remedy}</li>"
        )
    told = f"<p>{counted([each.severity for each in known])}</p>"
    return told + (f'<ul style="list-style:none">{"".join(items)}</ul>' if items else "")
