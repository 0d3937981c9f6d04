"""What a command prints may have no reader, or one that leaves, as `head` does, or no room."""

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Any

from layerscope.exit_codes import ExitCode

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class _Unheard(io.FileIO):
    """A file descriptor that takes all that is written, whatever becomes of it."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:  # nobody reads it any more, or its disk is full
            return len(memoryview(data).cast("B"))


def train_on_unread() -> None:
    """From now on stdout takes what is printed, though its reader may leave or its disk be full: a
    training has more to do than to print.
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
    """Run work that prints; where that is read by nobody any more, end without a traceback.

    A stdout or stderr that is closed from the start, as by `>&-`, takes what is printed.

    Returns:
        Its exit code; `ExitCode.UNREAD`; or, with a sentence, `ExitCode.FAILED` where what it
        writes has no room.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # and a file would get its number, with what others print
            null = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(null, "w", encoding="utf-8", closefd=False))
    try:
        try:
            return work()
        finally:
            sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError) and error.errno not in _NO_ROOM:
            raise
        # Python flushes once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return ExitCode.UNREAD
        print(f"error: not all could be written: {error.strerror}", file=sys.stderr)
        return ExitCode.FAILED
