"""Bad arguments are refused in one sentence: the argument, the bound and the value."""

from collections.abc import Iterable
from difflib import get_close_matches
from math import isfinite
from numbers import Integral


def at_least(bound: int, **arguments: object) -> None:
    """Raise ValueError unless each argument is a whole number of at least `bound`.

    >>> at_least(1, depth=0)
    Traceback (most recent call last):
    ValueError: depth must be at least 1, got 0
    """
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise ValueError(f"{name} must be a whole number, got {value!r}")
        if value < bound:
            raise ValueError(f"{name} must be at least {bound}, got {value}")


def at_most(bound: int, **arguments: int) -> None:
    """Raise ValueError unless each argument is at most `bound`.

    >>> at_most(10_000, depth=100_000)
    Traceback (most recent call last):
    ValueError: depth must be at most 10000, got 100000
    """
    for name, value in arguments.items():
        if value > bound:
            raise ValueError(f"{name} must be at most {bound}, got {value}")


def finite_and_not_negative(**arguments: float) -> None:
    """Raise ValueError unless each argument is a finite number of at least 0."""
    for name, value in arguments.items():
        if not isfinite(value) or value < 0:
            raise ValueError(f"{name} must be a finite number of at least 0, got {value!r}")


def one_of(choices: Iterable[str], **arguments: object) -> None:
    """Raise ValueError unless each argument is one of `choices`.

    The sentence lists them, and ends with the nearest one.

    >>> one_of(("tanh", "relu"), activation="tan")
    Traceback (most recent call last):
    ValueError: activation must be one of tanh, relu, got 'tan'; did you mean tanh?
    """
    listed = list(choices)
    for name, value in arguments.items():
        if not isinstance(value, str) or value not in listed:
            raise ValueError(
                f"{name} must be one of {', '.join(listed)}, got {value!r}"
                f"{did_you_mean(str(value), listed)}"
            )


def unknown_key(key: str, there: Iterable[str]) -> str:
    """The sentence that refuses a key, with the nearest of those that there are."""
    return f"there is no key {key}{did_you_mean(key, there)}"


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """The end of a sentence that refuses `word`: the choice that it may stand for, or nothing.

    A key that lacks what it lies in stands for the one key of that name.

    >>> did_you_mean("model.deph", ["model.depth", "model.width"])
    '; did you mean model.depth?'
    >>> did_you_mean("depth", ["model.depth", "model.width"])
    '; did you mean model.depth?'
    >>> did_you_mean("colour", ["model.depth", "model.width"])
    ''
    """
    listed = list(choices)
    ends = [choice for choice in listed if choice.endswith(f".{word}")]
    near = ends if len(ends) == 1 else get_close_matches(word, listed, n=1)
    return f"; did you mean {near[0]}?" if near else ""
