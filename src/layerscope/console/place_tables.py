"""What was seen at places that are no layers, in the console: a short table for each kind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.text import Text

from layerscope.console.health_table import finding_cell, short
from layerscope.console.plain_table import PlainTable, plain_table
from layerscope.diagnose import Finding, worst_by_layer

_LONGEST_NAME = 24  # columns

Value = float | Sequence[float | None] | None
Column = tuple[str, str, Callable[[Value], float | None]]


def _itself(value: Value) -> float | None:
    return value  # type: ignore[return-value]


def _of_known(of: Callable[[list[float]], float]) -> Callable[[Value], float | None]:
    """Of the parts of a place that are known, one number."""

    def formed(values: Value) -> float | None:
        known = [value for value in values if value is not None]  # type: ignore[union-attr]
        return of(known) if known else None

    return formed


_largest, _least = _of_known(max), _of_known(min)
_mean = _of_known(lambda known: sum(known) / len(known))

_KINDS: Mapping[str, tuple[str, str, Sequence[Column]]] = {
    "attention": (
        "Attention",
        "logit: the largest of any head; entropy: of a row's weights, 1 is uniform, mean of heads "
        "and lowest; one: share of rows that look at one token; q, k: RMS of queries and keys.",
        (
            ("logit", "logit", _largest),
            ("entropy", "entropy", _mean),
            ("lowest", "entropy", _least),
            ("one", "one_token", _mean),
            ("q", "query_rms", _largest),
            ("k", "key_rms", _largest),
        ),
    ),
    "experts": (
        "Experts",
        "tokens: of the expert that gets fewest, of the mean, of the one that gets most; none: "
        "experts without tokens.",
        (
            ("fewest", "tokens", _least),
            ("mean", "tokens", _mean),
            ("most", "tokens", _largest),
            ("none", "tokens", _of_known(lambda known: float(known.count(0)))),
        ),
    ),
    "gates": (
        "Gates",
        "shut, open: share of the gate's values below 0.1 and above 0.9, over samples, times and "
        "units.",
        (("shut", "shut", _itself), ("open", "open", _itself)),
    ),
    "stream": (
        "Residual stream",
        "stream: its RMS after the addition; branch: RMS of what is added / of the stream before; "
        "outliers: share of elements above 10 RMS; channel: which has most of them.",
        (
            ("stream", "stream_rms", _itself),
            ("branch", "branch_to_stream", _itself),
            ("outliers", "outlier_share", _itself),
            ("channel", "outlier_channel", _itself),
        ),
    ),
}
"""By name in diagnosis.json: title, caption, and of each column its head, field and form."""


def place_tables(diagnosis: Mapping[str, Any]) -> list[PlainTable]:
    """A table for each kind of place that the network has; at most 80 columns wide.

    One line per place, for the first and the last step, or the last one before that was looked at.

    Args:
        diagnosis: the content of diagnosis.json, with at least one step.
    """
    steps = diagnosis["steps"]
    shown = steps if steps[0]["step"] != steps[-1]["step"] else steps[:1]
    findings = [Finding.of_json(each) for each in diagnosis.get("findings") or ()]
    tables = []
    for kind, (title, caption, columns) in _KINDS.items():
        if not any(kind in step for step in shown):
            continue
        table = plain_table(title, caption)
        table.add_column("place", max_width=_LONGEST_NAME, overflow="fold")
        for head, _, _ in columns:
            table.add_column(head, justify="right", no_wrap=True)
        table.add_column("finding", overflow="fold", min_width=7)
        table.spare = [head for head, _, _ in reversed(columns)]
        for step in shown:
            number = step.get("looked_at", step["step"])
            table.add_section()
            table.add_row(Text(f"step {number}", style="bold"))
            worst = worst_by_layer(findings, number)
            for name, seen in step.get(kind, {}).items():
                cells = (short(form(seen[field])) for _, field, form in columns)
                table.add_row(Text(name), *cells, finding_cell(worst.get(name), name, number))
        tables.append(table)
    return tables
