"""Whoever reads what a command prints may leave before its end, as `head` does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from layerscope.exit_codes import ExitCode


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
