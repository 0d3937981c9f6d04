"""The ranked table of the page: numbers as text, and as what the columns are sorted by."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from layerscope.comparison.estimate import Estimate
from layerscope.comparison.group import Group
from layerscope.comparison.loss_text import loss_text
from layerscope.comparison.measures import MEASURES
from layerscope.console.plain_table import NOTHING
from layerscope.report.group_styles import Style


@dataclass(frozen=True, slots=True)
class Cell:
    """Attributes:
    text: the median, or whatever else stands here.
    below: its interval, in smaller print; "".
    order: what the column is sorted by.
    alarm: whether it is bad news.
    note: a word on it; "".
    """

    text: str
    below: str
    order: float
    alarm: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A group: its style, its settings and its cells, one for each column."""

    group: Group
    style: Style
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and what it means."""

    head: str
    about: str


_SHARE, _FACTOR = "{:.1%}", "{:.3g}"

_SHOWN = (
    ("gradient_factor_start", "gradient ×, start", _FACTOR),
    ("gradient_factor_end", "gradient ×, end", _FACTOR),
    ("saturated", "saturated", _SHARE),
    ("dead", "dead units", _SHARE),
    ("update_ratio", "log10 update", "{:.2f}"),
    ("first_finding", "first warning", "step {:.0f}"),
    ("signal_distance", "signal distance", "{:.3f}"),
)


def ranked_table(
    groups: Sequence[Group], group_styles: Sequence[Style], loss: str
) -> tuple[list[Column], list[Row]]:
    """Columns in which somebody has a number, and a row for each group, the best first."""
    shown = [each for each in _SHOWN if any(g.estimates[each[0]].count for g in groups)]
    columns = [Column(loss, MEASURES["loss"])]
    ranked = any(group.behind is not None for group in groups)
    if ranked:
        columns.append(Column("behind the best", "mean difference by seed, 95 % interval"))
    columns += [Column(head, MEASURES[name]) for name, head, _ in shown]
    several = any(len(group.runs) > 1 or group.failed for group in groups)
    if several:
        columns.append(Column("runs", "seeds, and how many of them did not finish"))
    rows = []
    for group, style in zip(groups, group_styles, strict=True):
        cells = [_loss(group.estimates["loss"])]
        if ranked:
            cells.append(_behind(group))
        cells += [_cell(group.estimates[name], form) for name, _, form in shown]
        if several:
            cells.append(_runs(group))
        rows.append(Row(group, style, cells))
    return columns, rows


def _loss(each: Estimate) -> Cell:
    below = "" if math.isnan(each.low) else f"{loss_text(each.low)} – {loss_text(each.high)}"
    order = math.inf if math.isnan(each.median) else each.median
    return Cell(loss_text(each.median), below, order, math.isinf(each.median))


def _cell(each: Estimate, form: str) -> Cell:
    if not each.count:
        return Cell(NOTHING, "", math.inf)
    if math.isinf(each.median):
        return Cell("none", "", math.inf)
    low, high = ("none" if math.isinf(end) else form.format(end) for end in (each.low, each.high))
    text = form.format(each.median)
    below = "" if math.isnan(each.low) or low == high == text else f"{low} – {high}"
    return Cell(text, below, each.median)


def _behind(group: Group) -> Cell:
    behind = group.behind
    if behind is None:
        return Cell(NOTHING, "", 0.0)
    verdict = "certain" if behind.certain else "may be luck"
    interval = f"{loss_text(behind.low, sign=True)} – {loss_text(behind.high, sign=True)}"
    return Cell(loss_text(behind.mean, sign=True), interval, behind.mean, note=verdict)


def _runs(group: Group) -> Cell:
    below = f"{group.failed} unfinished" if group.failed else ""
    return Cell(str(len(group.runs)), below, float(len(group.runs)), bool(group.failed))
