"""What a config may name in a `_target_`: what it names is imported and called."""

import inspect
from collections.abc import Iterable, Sequence
from pkgutil import resolve_name
from typing import Any

TRUSTED = ("layerscope", "lightning", "torch.nn", "torch.optim")
"""Packages whose classes a config may name, and of layerscope functions too.

NumPy is left out: numpy.f2py and numpy.testing run code that they are given, and no config of ours
names any of it."""


def resolve_trusted(
    target: object, key: str, trust: Sequence[str] = (), packages: Sequence[str] = TRUSTED
) -> Any:
    """What a config names, imported: a class of a trusted package, or a function of layerscope.

    Refused before it is imported is what lies in no trusted package; afterwards, what a package
    only imports, as `torch.nn.modules.module.os` is.

    Args:
        key: of the config, that names it.
        trust: further packages, or modules, that the user trusts, and all that they have.
        packages: that are trusted anyway.

    Raises:
        ValueError: it is not trusted, or there is nothing of that name.
    """
    if not isinstance(target, str) or not _within(target, (*packages, *trust)):
        raise ValueError(_refusal(target, key, packages))
    called = _imported(target, key)
    if not _within(target, trust):
        homes = packages if inspect.isclass(called) else ("layerscope",)
        callable_by_name = inspect.isclass(called) or inspect.isfunction(called)
        if not callable_by_name or not _within(called.__module__, homes):
            raise ValueError(_refusal(target, key, packages))
    return called


def trust_is_typed(overrides: Iterable[str]) -> bool:
    """Whether `trust` stands on the command line: a config cannot vouch for itself."""
    return any(each.lstrip("+").startswith("trust=") for each in overrides)


def _imported(target: str, key: str) -> Any:
    module, _, name = target.rpartition(".")
    try:
        try:  # first of all an attribute of a module: a submodule may have the same name
            return resolve_name(f"{module}:{name}")
        except (ImportError, ValueError):
            return resolve_name(target)  # of a class, say
    except Exception as error:  # whatever importing it raises
        why = str(error).splitlines()[0]
        raise ValueError(f"{key} must be what Python can import, got {target}: {why}") from error


def _within(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _refusal(target: object, key: str, packages: Sequence[str]) -> str:
    got = "''" if target == "" else target
    told = f"{key} must be a class of {', '.join(packages[:-1])} or {packages[-1]}, got {got}"
    if not isinstance(target, str) or not target:
        return told
    package = target.partition(".")[0]
    return f"{told}: what a config names is run; trust=[{package}] allows it"
