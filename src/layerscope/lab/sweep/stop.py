"""Ctrl-C and SIGTERM reach every job of a sweep, on any machine that sees the sweep's folder."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

_SECONDS = 0.5  # between two looks at the file: what a stop takes to arrive, and nothing to a disk
_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


@dataclass(frozen=True)
class Stop:
    """A file in the sweep's folder: while it is there, no job starts and running ones end.

    Not a signal to each job: workers of a pool, of Ray or of SLURM are not the sweep's children,
    and may be on other machines. A terminal's Ctrl-C reaches some of them besides, at any moment.

    Args:
        folder: of the sweep.
    """

    folder: Path

    @property
    def _file(self) -> Path:
        return self.folder / ".stop"

    def cause(self) -> str | None:
        """What stopped the sweep, Ctrl-C or SIGTERM; None while nothing has."""
        try:
            return self._file.read_text(encoding="utf-8") or None
        except OSError:
            return None

    def request(self, cause: str) -> None:
        """Stop the sweep."""
        self._file.write_text(cause, encoding="utf-8")

    def clear(self) -> None:
        """Take back an earlier request."""
        self._file.unlink(missing_ok=True)

    @contextmanager
    def on_signal(self) -> Iterator[None]:
        """Within, the first Ctrl-C or SIGTERM stops the sweep; a second one acts at once."""

        def handle(number: int, _: FrameType | None) -> None:
            self.request(_NAMES[signal.Signals(number)])
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            print("stopping: running jobs end after this step", file=sys.stderr, flush=True)

        before = {number: signal.signal(number, handle) for number in _NAMES}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def ends_this_process(self) -> Iterator[None]:
        """Within, a stop sends this process SIGTERM, upon which Lightning ends the training."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_SECONDS):
                if self._file.exists():
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

        thread = threading.Thread(target=watch, name="stop", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
