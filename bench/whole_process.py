"""What the monitor costs a whole training, from the command to the prompt: imports, end, and all.

    python bench/whole_process.py
    python bench/whole_process.py --against HEAD~3 trainer.max_epochs=2

Runs `train.py monitor=none` and `train.py monitor=default` in turns, each in a process and a folder
of its own, with any further overrides. With `--against`, the package of another commit takes its
turn too. The table has the median over the rounds, by the clock and by CPU time, with the least and
the greatest; the first round compiles and fills caches, and does not count.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from command_line import at_least_one
from in_turns import Ratio
from revision import ROOT, commit_of, source_of
from rich.console import Console
from rich.table import Table

from layerscope.commands.one_sentence_parser import OneSentenceParser


def seconds(monitor: str, source: Path, overrides: Sequence[str]) -> tuple[float, float]:
    """Wall and CPU time of a training with the package in a folder.

    Raises:
        RuntimeError: it fails; with the end of what it wrote.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            [
                *(sys.executable, str(source.parent / "train.py"), f"monitor={monitor}"),
                *("trainer.enable_progress_bar=false", f"hydra.run.dir={folder}/run", *overrides),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(source)},
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"monitor={monitor} has failed:\n{output.read()[-4000:]}")
    return wall, used.ru_utime + used.ru_stime


def arguments(typed: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; what is wrong is told in a sentence, with exit code 2."""
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=at_least_one, default=5)
    parser.add_argument("--against", type=commit_of, metavar="REV", help="a commit to time as well")
    parser.add_argument("overrides", nargs="*", help="of train.py")
    return parser.parse_args(typed)


def main(typed: Sequence[str] | None = None) -> None:
    """Train in turns, and print the table."""
    options = arguments(typed)
    with ExitStack() as stack:
        runs = {
            "monitor=none": ("none", ROOT / "src"),
            "monitor=default": ("default", ROOT / "src"),
        }
        if options.against:
            before = stack.enter_context(source_of(options.against))
            runs[f"monitor=default, {options.against[:7]}"] = ("default", before)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
        for number in range(options.rounds + 1):
            for name in list(runs)[:: -1 if number % 2 else 1]:
                taken = seconds(*runs[name], options.overrides)
                if number:
                    times[name].append(taken)
    table = Table(title="a whole process, over monitor=none", title_justify="left")
    for heading in ("run", "seconds", "wall", "CPU"):
        table.add_column(heading)
    walls, cpus = ({name: [[t[i]] for t in times[name]] for name in runs} for i in (0, 1))
    for name in runs:
        median = sorted(wall for (wall,) in walls[name])[options.rounds // 2]
        ratios = [str(Ratio.of(of[name], of["monitor=none"])) for of in (walls, cpus)]
        table.add_row(name, f"{median:.1f}", *ratios)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
