"""`layerscope show [FOLDER]`: a run's layers and findings in the terminal, without PyTorch."""

import os
import sys
from argparse import Namespace
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

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
    written = {}
    for above, _, names in os.walk(folder):  # which passes over a folder that is gone
        for file in (Path(above, name) for name in names if "tfevents" in name):
            if file.parent.name == "keyframes":
                continue
            with suppress(FileNotFoundError):  # somebody has removed it since
                if S_ISREG((found := file.stat()).st_mode):
                    written[file] = found.st_mtime_ns
    if not written:
        raise FileNotFoundError(f"there is no run in {folder.absolute()} or below it")
    return max(written, key=lambda file: (file.parent == folder, written[file])).parent
