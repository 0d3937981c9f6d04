"""What a config may name in a `_target_`: what it names is imported and called."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

TRUSTED = ("layerscope", "lightning", "torch.nn", "torch.optim")
"""Packages whose classes a config may name, and of layerscope functions too.

NumPy is left out: numpy.f2py and numpy.testing run code that they are given, and no config of ours
names any of it."""


def check_package(
    target: object,
    path: str,
    trust: Sequence[str] = (),
    packages: Sequence[str] = TRUSTED,
    key: str = "_target_",
) -> None:
    """Refuse a `_target_` outside the trusted packages, before it is imported.

    Args:
        trust: further packages, or modules, that the user trusts.
        packages: that are trusted anyway.

    Raises:
        ValueError: it lies in none of them.
    """
    if not isinstance(target, str) or not _within(target, (*packages, *trust)):
        raise ValueError(_refusal(target, f"{path}.{key}", packages))


def check_home(
    called: Any,
    target: str,
    path: str,
    trust: Sequence[str] = (),
    packages: Sequence[str] = TRUSTED,
    key: str = "_target_",
) -> None:
    """Refuse what a trusted package only imports, as `torch.nn.modules.module.os` is.

    Args:
        called: what the target names, imported.
        trust: further packages, or modules, that the user trusts.
        packages: that are trusted anyway.

    Raises:
        ValueError: it was defined elsewhere, or is neither a class nor a function of layerscope.
    """
    if _within(target, trust):
        return
    homes = packages if inspect.isclass(called) else ("layerscope",)
    callable_by_name = inspect.isclass(called) or inspect.isfunction(called)
    if not callable_by_name or not _within(called.__module__, homes):
        raise ValueError(_refusal(target, f"{path}.{key}", packages))


def _within(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _refusal(target: object, key: str, packages: Sequence[str]) -> str:
    package = str(target).partition(".")[0]
    return (
        f"{key} must be a class of {', '.join(packages[:-1])} or {packages[-1]}, got "
        f"{target}: what a config names is run; trust=[{package}] allows it"
    )
