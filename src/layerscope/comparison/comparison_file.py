"""comparison.json and comparison.csv: the comparison for programs and spreadsheets."""

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from layerscope.comparison.compare import Comparison
from layerscope.comparison.group import Group
from layerscope.comparison.measures import MEASURES
from layerscope.comparison.run import Run
from layerscope.whole_file import write_whole

SCHEMA = 1

_FORMULA = ("=", "+", "-", "@")  # what a spreadsheet would run


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write comparison.json and comparison.csv into a folder, each whole or not at all.

    docs/report.md says what is in them.

    Raises:
        OSError: the folder cannot be written.
    """
    content = json.dumps(as_json(comparison), indent=1, allow_nan=False)
    write_whole(folder / "comparison.json", content + "\n")
    write_whole(folder / "comparison.csv", _csv(comparison))


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Plain types; None for a number that is not known or not finite."""
    return {
        "schema": SCHEMA,
        "folder": str(comparison.folder),
        "loss": comparison.loss,
        "answer": list(comparison.answer),
        "measures": dict(MEASURES),
        "groups": [_group(rank, group) for rank, group in enumerate(comparison.groups, 1)],
        "runs": [_run(run) for run in comparison.runs],
        "passed_over": list(comparison.passed_over),
    }


def _group(rank: int, group: Group) -> dict[str, Any]:
    behind = group.behind
    return {
        "rank": rank,
        "label": group.label,
        "settings": dict(group.settings),
        "runs": [run.name for run in group.runs],
        "failed": group.failed,
        "measures": {name: _finite(asdict(each)) for name, each in group.estimates.items()},
        "behind_best": behind and {**_finite(asdict(behind)), "certain": behind.certain},
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "overrides": None if run.overrides is None else dict(run.overrides),
        "seed": run.seed,
        "state": run.state,
        "reason": run.reason,
        "seconds": run.seconds,
        "steps": run.steps,
        "measures": _finite(run.measures),
    }


def _csv(comparison: Comparison) -> str:
    """A line a group; of each measure the median, and the ends of its interval."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    ends = [f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")]
    table.writerow(["rank", "group", "runs", "failed", *ends])
    for rank, group in enumerate(comparison.groups, 1):
        label = f"'{group.label}" if group.label.startswith(_FORMULA) else group.label
        numbers = [
            "" if math.isnan(number) else f"{number:.6g}"
            for each in group.estimates.values()
            for number in (each.median, each.low, each.high)
        ]
        table.writerow([rank, label, len(group.runs), group.failed, *numbers])
    return text.getvalue()


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN and no infinity."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }
