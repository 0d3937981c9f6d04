"""The page itself: everything a report shows, put into one file."""

import base64
import hashlib
import math
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from layerscope.comparison import Comparison, compare
from layerscope.comparison.loss_text import loss_text
from layerscope.page.template import scripts, styles, template
from layerscope.report.chart_data import chart_data
from layerscope.report.findings import findings_of
from layerscope.report.group_styles import styles_of
from layerscope.report.layer_rows import layer_rows
from layerscope.report.ranked_table import ranked_table
from layerscope.report.repeat import command, versions
from layerscope.whole_file import write_whole

NAME = "report.html"

_SCRIPTS = (
    "data", "draw", "curves", "layers", "histograms", "heatmaps", "phases", "page",
)  # fmt: skip


def write_report(folder: Path, comparison: Comparison | None = None) -> Path:
    """Write report.html into a folder, whole or not at all, and return its path.

    The page is one file that opens from the disk without a network: its policy forbids the browser
    to load anything, and to run any script but ours. 5 MB of it are plotly.js.

    Args:
        folder: of one run, or with runs below it.
        comparison: what `compare(folder)` gave; it is made if left out.

    Raises as `compare` does, and OSError if the folder cannot be written.
    """
    return write_whole(folder / NAME, page_of(comparison or compare(folder)))


def page_of(comparison: Comparison) -> str:
    """The page's HTML. Everything that comes from a config or a data file is escaped."""
    groups = comparison.groups
    group_styles = styles_of(groups)
    columns, rows = ranked_table(groups, group_styles, comparison.loss)
    findings, judged = findings_of(groups)
    data = chart_data(comparison, group_styles)
    plotly, script = get_plotlyjs(), scripts(__package__, *(f"{name}.js" for name in _SCRIPTS))
    single = len(comparison.runs) == 1
    typed = comparison.runs[0].overrides if single else None
    name = comparison.folder.resolve().name
    if typed is not None:
        title = " ".join(f"{key}={value}" for key, value in typed.items()) or "default settings"
    else:
        varied = [key.split(".")[-1] for key in groups[0].choices if key != "run"]
        title = " × ".join(varied) or name  # "run": whose settings nobody wrote down
    return template(__package__, "report.html").render(
        title=title,
        name=name,
        folder=str(comparison.folder.resolve()),
        single=single,
        layers=layer_rows(comparison.runs[0]) if single else [],
        comparison=comparison,
        columns=columns,
        rows=rows,
        intervals=any(cell.below for row in rows for cell in row.cells),
        # Some groups have a share of saturated outputs, and others cannot have one.
        uneven=len({math.isnan(group.median("saturated")) for group in groups}) > 1,
        fewest=min(group.estimates["loss"].count for group in groups),
        coverage=min(group.estimates["loss"].coverage for group in groups),
        findings=findings,
        judged=judged,
        command=command(comparison),
        versions=versions(comparison.runs),
        loss_text=loss_text,
        made=f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        program=f"layerscope {version('layerscope')}",
        sections=data["sections"],
        data=htmlsafe_json_dumps(data, separators=(",", ":"), allow_nan=False),
        style=styles(__package__, "report.css"),
        plotly=Markup(plotly),
        script=script,
        policy=_policy(plotly, script),
    )


def _policy(*scripts: str) -> str:
    """A Content-Security-Policy under which nothing is loaded and only these scripts run."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
