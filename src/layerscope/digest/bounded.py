"""JSON that stays within a size: long texts are cut, lists end early, and both are counted."""

import json
import math
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

MAX_BYTES = 32_000
"""Of a digest, as `as_text` gives it and with the line break after it."""

_TEXT = 600
"""Bytes of a text as JSON: an explanation has about 150, a remedy 250, a layer's name 30."""

_CUT = "..."


def as_text(digest: Mapping[str, Any]) -> str:
    """The JSON of a digest, in ASCII: as many characters as bytes."""
    return json.dumps(digest, indent=1, allow_nan=False)


class Texts:
    """Cuts texts, and counts those that it has cut."""

    def __init__(self) -> None:
        self.cut = 0

    def short(self, text: str) -> str:
        """A text of at most 600 bytes as JSON; a longer one keeps its beginning and its end."""
        if len(text) <= _TEXT and _size(text) <= _TEXT:
            return text
        self.cut += 1
        half = (_TEXT - len(_CUT)) // 2
        return f"{text[: _fitting(text[:half], half)]}{_CUT}{_end(text, half)}"


def _size(text: str) -> int:
    return len(json.dumps(text)) - len('""')


def _fitting(text: str, limit: int) -> int:
    """How many characters from the beginning have room."""
    sizes = accumulate(map(_size, text))
    return sum(1 for size in sizes if size <= limit)


def _end(text: str, limit: int) -> str:
    backwards = text[: -limit - 1 : -1]
    return backwards[: _fitting(backwards, limit)][::-1]


def number(value: float) -> float | int | None:
    """Four significant digits, a whole number as it is; None for what is not finite."""
    if not math.isfinite(value):
        return None
    if float(value).is_integer() and abs(value) < 1e15:
        return int(value)
    return float(f"{value:.4g}")


def with_as_many(
    digest: dict[str, Any], name: str, entries: list[dict[str, Any]], limit: int
) -> dict[str, Any]:
    """The digest with as many entries of a list, from its beginning, as fit; the rest is counted.

    Args:
        digest: with "left_out", by name.
        name: under which the list comes.
        entries: the most important first.
        limit: bytes that the digest may have with them.
    """

    def with_first(count: int) -> dict[str, Any]:
        left_out = {**digest["left_out"], name: len(entries) - count}
        return {**digest, name: entries[:count], "left_out": left_out}

    low, high = 0, len(entries)
    while low < high:
        middle = (low + high + 1) // 2
        if len(as_text(with_first(middle))) <= limit:
            low = middle
        else:
            high = middle - 1
    return with_first(low)
