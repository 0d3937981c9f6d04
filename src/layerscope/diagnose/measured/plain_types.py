"""Whether what was read out of a file has the types that its dataclass promises."""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints


def check_types(read: Any) -> None:
    """Raise ValueError unless each field of a dataclass is of its type: plain ones, and tuples."""
    for name, hint in _hints(type(read)).items():  # type: ignore[arg-type] # a class has a hash
        if not _fits(value := getattr(read, name), hint):
            raise ValueError(f"{name} cannot be {value!r}")


@cache
def _hints(of: type[Any]) -> Mapping[str, Any]:
    hints = get_type_hints(of)
    return {each.name: hints[each.name] for each in fields(of)}


def _fits(value: object, hint: Any) -> bool:
    inner = get_args(hint)
    if isinstance(hint, UnionType):
        return any(_fits(value, each) for each in inner)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(each, inner[0]) for each in value)
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, int | float if hint is float else hint)
