"""`layerscope show [FOLDER]`: a run's layers and findings in the terminal, without PyTorch."""

import sys
from argparse import Namespace
from pathlib import Path

from layerscope.console.health_table import health_table
from layerscope.console.place_tables import place_tables
from layerscope.console.summary import summary
from layerscope.console.terminal import terminal
from layerscope.exit_codes import ExitCode
from layerscope.refusal import refuse
from layerscope.run import read
from layerscope.whole_file import read_json


def run(options: Namespace) -> int:
    """Print the run's table of layers and its findings; 2 if there is no run."""
    try:
        found = read(newest_run(options.folder))
        findings = found.findings
    except (OSError, ValueError) as error:
        return refuse(error)
    console, tables = terminal(), []
    try:
        file = found.folder / "diagnosis.json"
        diagnosis = read_json(file)
        if diagnosis["steps"]:
            tables = [health_table(diagnosis), *place_tables(diagnosis)]
    except FileNotFoundError:  # of a run that goes on
        pass
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        print(f"{file} is torn, or not what a run writes: no layer is shown", file=sys.stderr)
    for table in tables:
        console.print(table)
    console.print(summary(findings, found.folder))
    return ExitCode.FINISHED


def newest_run(folder: Path) -> Path:
    """The run in a folder, or of those below it the one that was written to last.

    Raises:
        FileNotFoundError: there is none.
    """
    files = [
        each
        for each in folder.rglob("*tfevents*")
        if each.is_file() and each.parent.name != "keyframes"
    ]
    if not files:
        raise FileNotFoundError(f"there is no run in {folder.absolute()} or below it")
    return max(files, key=lambda file: (file.parent == folder, file.stat().st_mtime_ns)).parent
