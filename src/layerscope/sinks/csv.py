"""Figures as CSV, for a spreadsheet or for pandas."""

import csv
from io import StringIO
from os import PathLike
from pathlib import Path
from typing import IO, Any

from layerscope.arguments import at_least
from layerscope.diagnose.findings.finding import Finding
from layerscope.sinks.sink import Sink, StepRecord
from layerscope.sinks.tables import (
    FINDING_COLUMNS,
    LAYER_COLUMNS,
    STEP_COLUMNS,
    layer_rows,
    step_row,
)
from layerscope.whole_file import write_whole

_TABLES = {"layers": LAYER_COLUMNS, "steps": STEP_COLUMNS, "findings": FINDING_COLUMNS}


class CsvSink(Sink):
    """Writes three tables into a folder: layers.csv has a row for each step and layer, steps.csv
    one for each step, findings.csv one for each finding. `diagnose.figure_names` says what the
    columns are; what is unknown is empty.

    Args:
        folder: for the files; by default `csv` in the run's folder.
        every_n_steps: as for `Sink`, at least 1. Default 10: the text of a step takes 0.2 ms for
            ten layers, and 3 kB.

    Raises:
        ValueError: an argument is out of its bounds.
    """

    def __init__(
        self, folder: str | PathLike[str] | None = None, *, every_n_steps: int = 10
    ) -> None:
        at_least(1, every_n_steps=every_n_steps)
        self.every_n_steps = every_n_steps
        self._folder = None if folder is None else Path(folder).expanduser().absolute()
        self._files: list[IO[str]] = []
        self._writers: dict[str, Any] = {}

    def open(self, folder: Path, resumed_at: int | None) -> None:
        """Begin the tables; of a run that goes on, keep the rows of the steps before."""
        directory = self._folder or folder / "csv"
        directory.mkdir(parents=True, exist_ok=True)
        for name, columns in _TABLES.items():
            path = directory / f"{name}.csv"
            if resumed_at is not None and path.exists():
                _cut(path, resumed_at)
            else:
                write_whole(path, ",".join(columns) + "\r\n")
            file = path.open("a", newline="", encoding="utf-8")
            self._files.append(file)
            self._writers[name] = csv.writer(file)

    def write(self, record: StepRecord) -> None:
        """Add the rows of a step."""
        self._writers["layers"].writerows(map(_in_short, layer_rows(record)))
        self._writers["steps"].writerow(_in_short(step_row(record)))

    def write_finding(self, finding: Finding) -> None:
        """Add the row of a finding."""
        self._writers["findings"].writerow([getattr(finding, name) for name in FINDING_COLUMNS])

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        for file in self._files:
            file.flush()

    def close(self) -> None:
        """Close the files."""
        files, self._files = self._files, []
        for file in files:
            file.close()


def _in_short(row: list[object]) -> list[object]:
    """A row whose figures have the nine digits that tell float32 apart."""
    return [*row[:2], *("" if each is None else f"{each:.9g}" for each in row[2:])]


def _cut(path: Path, step: int) -> None:
    """Leave the rows of the steps below one; a row that a killed process has torn goes too."""
    text = StringIO()
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        columns = next(rows)
        whole = (row for row in rows if len(row) == len(columns))
        csv.writer(text).writerows([columns, *(row for row in whole if int(row[0]) < step)])
    write_whole(path, text.getvalue())
