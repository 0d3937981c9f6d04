"""What all hooks on a network's modules have in common: how they go, be it for a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

from torch import nn

Hidden = list[tuple[dict[int, Any], int, Any]]
"""Hooks that were taken off: the dictionary of each, its number there, and itself."""


class OwnHook:
    """A hook of LayerScope's. A copy of the network carries one that does nothing."""

    __slots__ = ()

    __name__ = "layerscope_hook"  # hooks are functions, to those who list them

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, str]]:
        """Copied and pickled as a hook that does nothing, and that loads without LayerScope:
        `nullcontext().__exit__` takes any arguments and returns None.
        """
        return getattr, (nullcontext(), "__exit__")


def hide(modules: Iterable[nn.Module]) -> Hidden:
    """Take our hooks off modules, to be put back by `show`; off copies those that do nothing, for
    good.
    """
    hidden: Hidden = []
    for module in modules:
        dictionaries: tuple[dict[int, Any], ...] = module._forward_hooks, module._forward_pre_hooks
        for hooks in dictionaries:
            for number, hook in list(hooks.items()):
                if isinstance(hook, OwnHook):
                    hidden.append((hooks, number, hooks.pop(number)))
                elif isinstance(getattr(hook, "__self__", None), nullcontext):
                    del hooks[number]
    return hidden


def show(hidden: Hidden) -> None:
    """Put hooks back that `hide` has taken off; empties the list."""
    for hooks, number, hook in hidden:
        hooks[number] = hook
    hidden.clear()
