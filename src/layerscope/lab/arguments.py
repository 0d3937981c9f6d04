"""Bad arguments are refused in one sentence: the argument, the bound and the value."""

from collections.abc import Iterable
from math import isfinite


def at_least(bound: int, **arguments: object) -> None:
    """Raise ValueError unless each argument is a whole number of at least `bound`.

    >>> at_least(1, depth=0)
    Traceback (most recent call last):
    ValueError: depth must be a whole number of at least 1, got 0.
    """
    for name, value in arguments.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < bound:
            raise ValueError(f"{name} must be a whole number of at least {bound}, got {value!r}.")


def finite_and_not_negative(**arguments: float) -> None:
    """Raise ValueError unless each argument is a finite number of at least 0."""
    for name, value in arguments.items():
        if not isfinite(value) or value < 0:
            raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}.")


def one_of(choices: Iterable[str], **arguments: object) -> None:
    """Raise ValueError unless each argument is one of `choices`, which the sentence lists."""
    listed = list(choices)
    for name, value in arguments.items():
        if value not in listed:
            raise ValueError(f"{name} must be one of {', '.join(listed)}, got {value!r}.")
