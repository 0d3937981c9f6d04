"""A real TensorBoard on a folder, which is asked as its pages ask it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import urlopen

_SECONDS = 300  # for an answer, and for its end, on a machine with other work too


class Board:
    """TensorBoard, started as `make board` does, for as long as a `with` lasts.

    Args:
        folder: with runs in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        arguments = f"--logdir {self._folder} --port 0 --reload_interval 1"
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", *arguments.split()],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._server.stderr is not None
        lines = iter(self._server.stderr.readline, "")
        found = (re.search(r"at (http://\S+/)", line) for line in lines)
        self._address = next(each[1] for each in found if each)
        # What it says further on is read, or it would wait for a reader.
        threading.Thread(target=self._server.stderr.read, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.terminate()
        self._server.wait(timeout=_SECONDS)

    def get(self, route: str, **query: str) -> Any:
        """What it answers.

        Raises:
            OSError: it does not, or with an error.
        """
        url = f"{self._address}data/{route}?{urlencode(query)}"
        with urlopen(url, timeout=_SECONDS) as answer:
            return json.load(answer)

    def tags(self) -> dict[str, dict[str, list[str]]]:
        """Of each run those of its scalars and histograms."""
        plugins = {each: self.get(f"plugin/{each}/tags") for each in ("scalars", "histograms")}
        runs = {run for told in plugins.values() for run in told}
        return {
            run: {each: sorted(told.get(run, {})) for each, told in plugins.items()} for run in runs
        }
