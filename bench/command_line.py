"""Command lines of benchmarks: what is typed wrong is refused in one sentence."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn


class OneSentenceParser(argparse.ArgumentParser):
    """Leaves the usage out: exit code 2 and what is wrong."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence, and exit."""
        print(message, file=sys.stderr)
        raise SystemExit(2)


def at_least_one(text: str) -> int:
    """Return a positive number, for `type=`."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number
