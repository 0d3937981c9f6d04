"""A console that prints on any terminal: what its encoding lacks is shown by what it has."""

import errno
import io
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any, cast

from rich.console import Console

_SIMPLER = str.maketrans(
    {
        "✗": "x", "✓": "v", "·": "-", "–": "-", "→": ">", "…": "~", "≠": "!", "±": "~",
        "×": "x", "²": "2", "χ": "X", "\u03c3": "s", "ξ": "xi", "φ": "phi", "\u2019": "'",
    }
)  # fmt: skip


def terminal(stream: IO[str] | None = None) -> Console:
    """A rich console on a stream, by default the standard output of this moment.

    On a terminal or a log of another encoding than UTF-8, such as cp1252 or ASCII, marks and
    Greek letters are printed as ASCII and what else it cannot show as "?". It never raises
    UnicodeEncodeError. A program without a standard output prints nothing.
    """
    out = stream or sys.stdout or io.StringIO()
    return _Terminal(file=cast(IO[str], _Shown(out)))


def waiting(told: str) -> AbstractContextManager[object]:
    """While it is open, a mark on stderr that something takes time, if stderr is a terminal."""
    console = Console(stderr=True)
    return console.status(told) if console.is_terminal else nullcontext()


def shown(text: str, encoding: str) -> str:
    """What of a text an encoding can show; a text that it can show as a whole stays as it is.

    >>> shown("✗ saturated · 01_層", "ascii"), shown("✗ χ", "utf-8")
    ('x saturated - 01_?', '✗ χ')
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_SIMPLER).encode(encoding, "replace").decode(encoding)
    return text


class _Terminal(Console):
    """A console whose reader may leave: the caller hears of it, where rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class _Shown:
    """A stream that writes what its encoding can show; all else is the stream's own."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(shown(text, getattr(self._stream, "encoding", None) or "utf-8"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
