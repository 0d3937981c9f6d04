"""How a long, a deep and a wide training is borne, many runs, many tags, and a reader beside it.

    python bench/soak.py
    python bench/soak.py long wide --share 0.25

Each soak has a process of its own, and a row for each thing that it measured, with its bound; it
ends with 1 if one does not hold. `--share` takes a part of the sizes: the whole takes half an hour
on two quiet cores, and 3 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import soaked_readers as readers
import soaked_trainings as trainings
import torch
from rich.console import Console
from rich.table import Table
from soaked_trainings import Row

from layerscope.commands.one_sentence_parser import OneSentenceParser

ROOT = Path(__file__).parents[1]
SOAKS: dict[str, tuple[Callable[[int, Path], list[Row]], int]] = {
    "long": (trainings.long, 200_000),  # steps
    "deep": (trainings.deep, 1_000),  # layers
    "thinned": (trainings.thinned, 300),  # layers
    "wide": (trainings.wide, 100_000_000),  # weights of a layer
    "many": (readers.many, 500),  # runs
    "tags": (readers.tags, 3_000),
    "polled": (readers.polled, 4_000),  # steps of each of four runs
}
_LIMIT = 3_600  # seconds of a soak


def arguments(typed: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; what is wrong is told in a sentence, with exit code 2."""
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("soaks", nargs="*", metavar="SOAK", help=", ".join(SOAKS))
    parser.add_argument("--share", type=_share, default=1.0, help="of the sizes")
    parser.add_argument("--rows", action="store_true", help="in this process, as JSON")
    asked = parser.parse_args(typed)
    for name in asked.soaks:
        if name not in SOAKS:
            parser.error(f"argument SOAK: must be one of {', '.join(SOAKS)}, got {name!r}")
    return asked


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 1, got {text}")
    return share


def rows_of(name: str, share: float) -> list[Row]:
    """Soak in this process, with one thread.

    Raises:
        subprocess.SubprocessError: a command that is measured fails, or does not end.
    """
    torch.set_num_threads(1)
    soak, size = SOAKS[name]
    with tempfile.TemporaryDirectory() as folder:
        return soak(max(round(size * share), 1), Path(folder))


def _rows_of_another_process(name: str, share: float) -> list[Row]:
    """The same in a process of its own: what it has in memory is the soak's."""
    done = subprocess.run(
        [sys.executable, __file__, name, "--share", str(share), "--rows"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_LIMIT,
    )
    return [Row(*row) for row in json.loads(done.stdout.splitlines()[-1])]


def main() -> int:
    """Soak as asked, and print a table; 1 if a bound does not hold."""
    asked = arguments(None)
    if asked.rows:
        print(json.dumps([row for name in asked.soaks for row in rows_of(name, asked.share)]))
        return 0
    table = Table("soak", "what", "measured", "bound", "holds", title="Load", title_justify="left")
    held = True
    for name in asked.soaks or SOAKS:
        for row in _rows_of_another_process(name, asked.share):
            table.add_row(name, *row[:-1], "yes" if row.holds else "no")
            held = held and row.holds
        print(f"{name} is done", file=sys.stderr)
    Console(width=120).print(table)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
