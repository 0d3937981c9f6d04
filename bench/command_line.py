"""A number on the command line of a benchmark."""

from __future__ import annotations

import argparse


def at_least_one(text: str) -> int:
    """Return a positive number, for `type=`."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number
