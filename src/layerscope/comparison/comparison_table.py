"""The ranked table of a comparison, in the console."""

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from layerscope.comparison.compare import Comparison
from layerscope.comparison.group import Group
from layerscope.comparison.loss_text import loss_text
from layerscope.console.plain_table import NOTHING, plain_table

_ABOUT = {
    "behind": "behind: the best, mean difference by seed, ✗ if that is more than luck.",
    "gradient": (
        "gradient: what a layer multiplies it by on its way back, at the start and at the end."
    ),
    "sat.": "sat.: share of saturated outputs at the end.",
    "dead": "dead: share of dead units.",
    "warning": "warning: step of the first warning or worse.",
}
_PROMISED = 0.95
_MOST = 100  # rows: with more a terminal loses what was printed before
_LONGEST_WORD = 12  # of a setting; what is longer is folded


def comparison_table(comparison: Comparison) -> Table:
    """One row per group, the best first; columns that nobody has a number for are left out."""
    groups = comparison.groups
    table = plain_table("Best first", padding=1)
    two_lines = any(not math.isnan(group.estimates["loss"].low) for group in groups)
    between = "\n" if two_lines else " → "  # an interval takes the second line anyway
    columns = [
        (comparison.loss, [_loss(group) for group in groups]),
        ("behind", [_behind(group) for group in groups]),
        ("gradient", [_factors(group, between) for group in groups]),
        ("sat.", [_cell(group, "saturated", "{:.1%}") for group in groups]),
        ("dead", [_cell(group, "dead", "{:.1%}") for group in groups]),
        ("warning", [_finding(group) for group in groups]),
    ]
    if len({len(group.runs) for group in groups}) > 1 or any(group.failed for group in groups):
        columns.insert(0, ("runs", [_runs(group) for group in groups]))
    columns = [(head, cells) for head, cells in columns if {str(c) for c in cells} != {NOTHING}]
    table.caption = _caption(comparison, [head for head, _ in columns])
    table.add_column("", justify="right", no_wrap=True)
    for key in groups[0].choices:
        table.add_column(key.rpartition(".")[2], min_width=_width(key, groups), overflow="fold")
    for head, _ in columns:
        table.add_column(head, justify="right", no_wrap=True)
    for rank, (group, *cells) in enumerate(
        zip(groups, *(cells for _, cells in columns), strict=True), 1
    ):
        if rank <= _MOST:
            table.add_row(str(rank), *map(Text, group.choices.values()), *cells)
    if len(groups) > _MOST:
        table.caption += f" These are the first {_MOST} of {len(groups):,}: the page has all."
    table.spare = ("dead", "sat.", "gradient", "behind")
    return table


def _width(key: str, groups: Sequence[Group]) -> int:
    """What the words of a column take, if they are not too long."""
    words = [key.rpartition(".")[2], *(group.choices[key] for group in groups)]
    return min(max(map(len, words)), _LONGEST_WORD)


def _caption(comparison: Comparison, shown: Sequence[str]) -> str:
    """What the columns mean, those that are shown."""
    estimates = [group.estimates["loss"] for group in comparison.groups]
    fewest = min(estimates, key=lambda each: each.count)
    loss = f"{comparison.loss}: median over seeds"
    if max(each.count for each in estimates) > 1:
        loss += ", 95 % bootstrap interval"
    if fewest.count > 1 and fewest.coverage < _PROMISED:
        loss += (
            f" (of {fewest.count} seeds such an interval holds the true median in "
            f"{fewest.coverage:.0%} of cases at most)"
        )
    return " ".join([f"{loss}.", *(_ABOUT[head] for head in shown if head in _ABOUT)])


def _runs(group: Group) -> Text:
    if not group.failed:
        return Text(str(len(group.runs)))
    return Text(f"{len(group.runs)}\n{group.failed} unfinished", style="bold red")


def _loss(group: Group) -> Text:
    each = group.estimates["loss"]
    if math.isinf(each.median):
        return Text(loss_text(each.median), style="bold red")
    if math.isnan(each.low):
        return Text(loss_text(each.median))
    return Text(f"{loss_text(each.median)}\n{_short(each.low)}–{_short(each.high)}")


def _short(loss: float) -> str:
    return f"{loss:.3f}" if abs(loss) < 100 else loss_text(loss)


def _behind(group: Group) -> Text:
    behind = group.behind
    if behind is None:
        return Text(NOTHING)
    mark = " ✗" if behind.certain else ""
    return Text(f"{loss_text(behind.mean, sign=True)}{mark}")


def _cell(group: Group, measure: str, form: str) -> Text:
    median = group.median(measure)
    return Text(NOTHING if math.isnan(median) else form.format(median))


def _factors(group: Group, between: str) -> Text:
    start, end = group.median("gradient_factor_start"), group.median("gradient_factor_end")
    if math.isnan(start) and math.isnan(end):
        return Text(NOTHING)
    return Text(f"{start:.2f}{between}{end:.2f}")


def _finding(group: Group) -> Text:
    each = group.estimates["first_finding"]
    if not each.count:
        return Text(NOTHING)
    return Text("none" if math.isinf(each.median) else f"{each.median:.0f}")
