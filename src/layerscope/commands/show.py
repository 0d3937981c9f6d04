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
from layerscope.run_state import DIAGNOSIS, unfinished
from layerscope.whole_file import read_json

_KEYFRAMES = "keyframes"  # tensorboard.KEYFRAMES, whose import would take PyTorch along


def run(options: Namespace) -> int:
    """Print the run's table of layers and its findings; 2 if there is no run."""
    try:
        found = read(newest_run(options.folder))
        findings, figures = found.findings, found.figures
        if not findings and figures is None and not (found.folder / DIAGNOSIS).exists():
            raise ValueError(f"the event files in {found.folder} hold no figures of layers")
    except (OSError, ValueError) as error:
        return refuse(error)
    console, tables = terminal(), []
    try:
        file = found.folder / DIAGNOSIS
        diagnosis = read_json(file)
        if diagnosis["steps"]:
            tables = [health_table(diagnosis), *place_tables(diagnosis)]
    except FileNotFoundError:  # of a run that goes on
        pass
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        print(f"{file} is torn, or not what a run writes: no layer is shown", file=sys.stderr)
    if figures is not None and len(figures.steps):
        last = int(figures.steps[-1])
        if (stands := unfinished(found.folder, lambda: last)) is not None:
            print(stands, file=sys.stderr)
    for table in tables:
        console.print(table)
    console.print(summary(findings, found.folder))
    return ExitCode.FINISHED


def newest_run(folder: Path) -> Path:
    """The run in a folder, or of those below it the one that was written to last; event files of
    another tool only where there are no others.

    Raises:
        FileNotFoundError: there is none.
    """
    written = {}
    for above, _, names in os.walk(folder):  # which passes over a folder that is gone
        for file in (Path(above, name) for name in names if "tfevents" in name):
            if file.parent.name == _KEYFRAMES:
                continue
            with suppress(FileNotFoundError):  # somebody has removed it since
                if S_ISREG((found := file.stat()).st_mode):
                    written[file] = found.st_mtime_ns
    if not written:
        raise FileNotFoundError(f"there is no run in {folder.absolute()} or below it")

    def preferred(file: Path) -> tuple[bool, bool, int]:
        place = file.parent
        is_ours = any((place / name).exists() for name in (_KEYFRAMES, DIAGNOSIS))
        return place == folder, is_ours, written[file]

    return max(written, key=preferred).parent
