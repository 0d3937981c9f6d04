"""Whether a value of a config fits a type hint."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import pytest

from layerscope.lab.type_hints import fits, in_words


class Thing:
    """What YAML cannot write."""


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (1, int), (1, float), (1.0, float), (True, bool), ("a", str), (None, None), ("a", Path),
        ("a", str | PathLike[str]), (None, int | None), ([1], Sequence[int]), ([], list[int]),
        ([0.9, 1], tuple[float, float]), ([1, 2, 3], tuple[int, ...]),
        ({"a": 1}, Mapping[str, int]),
        ("min", Literal["min", "max"]), (1, float | Thing), (3, Any), ({"_target_": "x"}, Thing),
        ({"_target_": "x"}, float), ([1], Iterable[Any]),
    ],
)  # fmt: skip
def test_it_fits(value, hint):
    assert fits(value, hint)


@pytest.mark.parametrize(
    ("value", "hint", "words"),
    [
        (True, int, "a whole number"),
        (1, bool, "true or false"),
        (1.0, int, "a whole number"),
        ("1", float, "a number"),
        (None, int, "a whole number"),
        ("abc", Sequence[str], "a list of texts"),
        ([1, "a"], Sequence[int] | None, "a list of whole numbers or null"),
        ([0.9], tuple[float, float], "a list of 2"),
        ("mid", Literal["min", "max"], "min or max"),
        ("a", float | Thing, "a number"),
        (3, Thing | None, "a mapping with a _target_ (Thing) or null"),
        (3, bool | None, "true, false or null"),
        ({"a": 1}, int, "a whole number"),
        (3, dict[str, int], "a mapping"),
    ],
)
def test_it_does_not_fit_and_the_sentence_says_what_would(value, hint, words):
    assert not fits(value, hint)
    assert in_words(hint) == words
