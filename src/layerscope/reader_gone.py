"""Whoever reads what a command prints may leave before its end, as `head` does."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Any

from layerscope.exit_codes import ExitCode


class _Unheard(io.FileIO):
    """A file descriptor that takes all that is written, also where nobody reads it any more."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(memoryview(data).cast("B"))


def train_on_unread() -> None:
    """From now on stdout takes what is printed, though its reader may leave: a training has more to
    do than to print.
    """
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):  # somebody's own
        return
    stream.flush()
    raw = _Unheard(stream.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
    )


def while_read(work: Callable[[], int]) -> int:
    """Run work that prints; where nobody reads stdout any more, end without a traceback.

    Returns:
        Its exit code, or `ExitCode.UNREAD`.
    """
    try:
        try:
            return work()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.UNREAD
