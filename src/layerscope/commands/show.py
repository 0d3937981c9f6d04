"""`layerscope show [FOLDER]`: a run's layers and findings in the terminal, without PyTorch."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

from layerscope.console.health_table import health_table
from layerscope.console.place_tables import place_tables
from layerscope.console.summary import summary
from layerscope.console.terminal import terminal
from layerscope.exit_codes import ExitCode
from layerscope.run import read


def run(options: Namespace) -> int:
    """Print the run's table of layers and its findings; 2 if there is no run."""
    try:
        found = read(newest_run(options.folder))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return ExitCode.BAD_SETTING
    console = terminal()
    try:
        diagnosis = json.loads((found.folder / "diagnosis.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # of a run that goes on
        diagnosis = {}
    if diagnosis.get("steps"):
        console.print(health_table(diagnosis))
        for table in place_tables(diagnosis):
            console.print(table)
    console.print(summary(found.findings, found.folder))
    return ExitCode.FINISHED


def newest_run(folder: Path) -> Path:
    """The run in a folder, or of those below it the one that was written to last.

    Raises:
        FileNotFoundError: there is none.
    """
    files = [each for each in folder.rglob("*tfevents*") if each.parent.name != "keyframes"]
    if not files:
        raise FileNotFoundError(f"there is no run in {folder.absolute()} or below it")
    return max(files, key=lambda file: (file.parent == folder, file.stat().st_mtime_ns)).parent
