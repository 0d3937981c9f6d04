"""Numbers as a run's files hold them: six digits, and nothing that JSON has no word for."""

from math import inf, isfinite, isnan, nan
from typing import Any

DIGITS = 6
"""Significant ones that are kept: finer than any spread, in half the bytes."""


def rounded(value: float) -> float:
    """Return the number to `DIGITS` significant digits; inf stays, and any NaN becomes math.nan.

    One and the same NaN, so that what holds it equals what is read back from JSON.
    """
    return nan if isnan(value) else float(f"{value:.{DIGITS}g}")


def as_json(value: Any) -> Any:
    """Return the value; JSON has no NaN, None takes its place, and infinity is a word.

    >>> as_json(float("inf")), as_json(0.5), as_json("tanh"), as_json(float("nan"))
    ('inf', 0.5, 'tanh', None)
    """
    if not isinstance(value, float) or isfinite(value):
        return value
    return None if isnan(value) else str(value)


def of_json(written: Any) -> Any:
    """Return what `as_json` was given."""
    return {None: nan, "inf": inf, "-inf": -inf}.get(written, written)
