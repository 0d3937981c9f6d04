"""Whether a value out of a config fits a type hint, and a hint in the words of a sentence."""

import inspect
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

_NUMBERS = {int: (int,), float: (int, float), complex: (int, float, complex)}
_TEXT = (str, Path, os.PathLike)
_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    complex: "a number",
    str: "a text",
    Path: "a path",
    os.PathLike: "a path",
    NoneType: "null",
    None: "null",
}
_LISTS: frozenset[Any] = frozenset({list, tuple, Sequence, Iterable, Collection})
_MAPPINGS: frozenset[Any] = frozenset({dict, Mapping})
_PLAIN = frozenset(_WORDS) | _LISTS | _MAPPINGS | {Literal}


def fits(value: object, hint: Any) -> bool:
    """Whether a plain value, as YAML has it, can be passed where `hint` stands.

    An int fits float, and true and false fit bool alone, not int. A mapping with a `_target_`
    stands for whatever that returns, and fits everything. So do no hint, and one that says nothing
    of the value.

    >>> fits([200, 100], Sequence[int] | None), fits(100, Sequence[int] | None)
    (True, False)
    """
    origin, inner = get_origin(hint), get_args(hint)
    if hint in (Any, object, inspect.Parameter.empty):
        return True
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in inner)
    if origin is Literal:
        return any(value == each and type(value) is type(each) for each in inner)
    kind = origin or hint
    if value is None:
        return kind in (None, NoneType)
    if isinstance(value, bool):
        return kind is bool
    if isinstance(value, int | float):
        return kind in _NUMBERS and isinstance(value, _NUMBERS[kind])
    if isinstance(value, str):
        return kind in _TEXT
    if isinstance(value, Mapping):
        return kind in _MAPPINGS or "_target_" in value
    if isinstance(value, list):
        return kind in _LISTS and _items_fit(value, kind, inner)
    return True


def in_words(hint: Any) -> str:
    """What fits `hint`, for a sentence.

    What takes a `_target_` to write in a config, such as a Tensor, is left out where there is
    something that does not.

    >>> in_words(Sequence[int] | None), in_words(Literal["min", "max"]), in_words(float)
    ('a list of whole numbers or null', 'min or max', 'a number')
    """
    *most, last = dict.fromkeys(_words(hint))
    return f"{', '.join(most)} or {last}" if most else last


def _words(hint: Any) -> list[str]:
    origin, inner = get_origin(hint), get_args(hint)
    kind = origin or hint
    if origin in (Union, UnionType):
        plain = [word for each in inner if _is_plain(each) for word in _words(each)]
        made = [word for each in inner if not _is_plain(each) for word in _words(each)]
        return made + plain if plain in ([], ["null"]) else plain
    if origin is Literal:
        return list(map(str, inner))
    if kind is bool:
        return ["true", "false"]
    if kind in _WORDS:
        return [_WORDS[kind]]
    if kind in _LISTS:
        if kind is tuple and inner and Ellipsis not in inner:
            return [f"a list of {len(inner)}"]
        return [f"a list of {_WORDS[inner[0]][2:]}s" if inner and inner[0] in _WORDS else "a list"]
    if kind in _MAPPINGS:
        return ["a mapping"]
    return [f"a mapping with a _target_ ({getattr(kind, '__name__', kind)})"]


def _items_fit(items: list[Any], kind: Any, inner: tuple[Any, ...]) -> bool:
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        return len(items) == len(inner) and all(map(fits, items, inner))
    return not inner or all(fits(item, inner[0]) for item in items)


def _is_plain(hint: Any) -> bool:
    return (get_origin(hint) or hint) in _PLAIN
