"""The one sentence that answers what cannot be used, and its exit code."""

import re
import sys

from layerscope.exit_codes import ExitCode


def refuse(told: object) -> ExitCode:
    """Print why something cannot be used, on stderr and on one line; the exit code.

    Args:
        told: a sentence, or an exception with one. An OSError is told by its file and its
            reason, without its number.
            What in a name would move a terminal's cursor, or not be seen, is escaped.
    """
    if isinstance(told, OSError) and told.strerror:
        told = told.strerror if told.filename is None else f"{told.filename}: {told.strerror}"
    text = re.sub(r"(?<=[^\s/.])\.$", "", str(told))  # the folder "." is no full stop
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    print(f"error: {''.join(shown)}", file=sys.stderr)
    return ExitCode.BAD_SETTING
