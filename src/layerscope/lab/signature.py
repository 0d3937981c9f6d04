"""Settings against the signature of what they are passed to, so that a new one needs no rule."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import isfinite
from typing import Any, Literal, Unpack, get_args, get_origin, get_type_hints

from layerscope.arguments import unknown_key
from layerscope.lab.trusted import resolve_trusted
from layerscope.lab.type_hints import fits, in_words

_HYDRA: dict[str | None, Any] = {
    "_target_": str,
    "_partial_": bool,
    "_convert_": Literal["none", "partial", "object", "all"],
    "_recursive_": bool,
    "_args_": Sequence[Any],
}
"""What Hydra itself reads of a node."""

_LARGEST = 2**63 - 1
"""What torch and NumPy take for a whole number."""


def check_node(node: Mapping[str, Any], path: str, trust: Sequence[str] = ()) -> None:
    """Refuse the settings of a node that what its `_target_` names has no argument for.

    Args:
        node: of a config, as plain types with all interpolations resolved. Nodes in it that have a
            `_target_`, in lists too, are checked as well. `_target_` is imported, and not called.
        path: of the node in the config, such as `model`.
        trust: packages that a `_target_` may name beside those of `trusted.TRUSTED`.

    Raises:
        ValueError: the target is of no trusted package or cannot be imported, a key is no argument
            of it, or a value does not fit the argument's type hint, or is a number that is not
            finite or of more than 64 bits.
    """
    if "_target_" in node:
        called = resolve_trusted(node["_target_"], f"{path}._target_", trust)
        _check_values(_HYDRA, {k: v for k, v in node.items() if k in _HYDRA}, path)
        check_arguments(called, {k: v for k, v in node.items() if k not in _HYDRA}, path)
        if "." in path and not node.get("_partial_"):  # at the top, `_partial_` itself is judged
            _check_complete(called, node, path)
    for key, value in node.items():
        _check_below(value, f"{path}.{key}", trust)


def check_arguments(called: Callable[..., Any], values: Mapping[str, Any], path: str = "") -> None:
    """Raise ValueError unless `called` has an argument for each key, of a type that fits the value.

    Args:
        called: a class or function. Where Python cannot tell its arguments, nothing is checked.
        values: what is to be passed, by name; arguments may be missing.
        path: where the keys lie in the config; empty at its top.
    """
    hints = arguments_of(called)
    if hints is not None:
        _check_values(hints, values, path)


def _check_complete(called: Callable[..., Any], node: Mapping[str, Any], path: str) -> None:
    try:
        parameters = list(inspect.signature(called).parameters.values())
    except (TypeError, ValueError):  # of some built-in functions
        return
    for each in parameters[len(node.get("_args_") or ()) :]:
        by_name = each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        if by_name and each.default is each.empty and each.name not in node:
            raise ValueError(f"{path}.{each.name} must be given: it has no default")


def _check_values(hints: Mapping[str | None, Any], values: Mapping[str, Any], path: str) -> None:
    prefix = f"{path}." if path else ""
    for key, value in values.items():
        if key not in hints and None not in hints:
            there = [f"{prefix}{name}" for name in hints]
            raise ValueError(unknown_key(f"{prefix}{key}", there))
        hint = hints.get(key, Any)
        if value == "???":
            raise ValueError(f"{prefix}{key} must be given: it has no default")
        if not fits(value, hint):
            raise ValueError(f"{prefix}{key} must be {in_words(hint)}, got {as_typed(value)}")
        _check_numbers(f"{prefix}{key}", value)


def _check_numbers(key: str, value: object) -> None:
    """Nothing that a config says of a training is infinite, or beyond 64 bits."""
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, float) and not isfinite(number):
            raise ValueError(f"{key} must be a finite number, got {as_typed(value)}")
        if isinstance(number, int) and abs(number) > _LARGEST:
            raise ValueError(f"{key} must be at most {_LARGEST}, got {as_typed(value)}")


@cache
def arguments_of(called: Callable[..., Any]) -> Mapping[str | None, Any] | None:
    """The arguments that can be passed by name, with their type hints; Any where there is none.

    The key None stands for any further one, as of `**options`. None if Python cannot tell.
    """
    try:
        parameters = inspect.signature(called).parameters.values()
    except (TypeError, ValueError):  # of some built-in functions
        return None
    hints = _hints(called.__init__ if inspect.isclass(called) else called)
    named: dict[str | None, Any] = {}
    for each in parameters:
        hint = hints.get(each.name, Any)
        if each.kind is each.VAR_KEYWORD and get_origin(hint) is Unpack:
            named.update(_hints(get_args(hint)[0]).items())  # of a TypedDict
        elif each.kind is each.VAR_KEYWORD:
            named[None] = Any
        elif each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
            named[each.name] = hint
    return named


def as_typed(value: object) -> str:
    """A value as one types it after `python train.py key=`.

    >>> as_typed([200, None, True, "tanh"])
    '[200,null,true,tanh]'
    >>> as_typed("200")  # which the environment has, say
    "'200'"
    """
    if isinstance(value, list):
        return f"[{','.join(map(as_typed, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{as_typed(each)}' for key, each in value.items())}}}"
    if value == "" or (
        isinstance(value, str) and value[-1:].isdigit() and value.lstrip("+-.")[:1].isdigit()
    ):
        return f"'{value}'"
    return (
        str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
    )


def _check_below(value: Any, path: str, trust: Sequence[str]) -> None:
    if isinstance(value, Mapping):
        check_node(value, path, trust)
    elif isinstance(value, list):
        for position, each in enumerate(value):
            _check_below(each, f"{path}[{position}]", trust)


def _hints(owner: object) -> dict[str, Any]:
    try:
        return get_type_hints(owner)
    except (NameError, TypeError, AttributeError):  # imported for type checkers only
        return {}
