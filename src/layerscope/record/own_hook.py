"""What all hooks on a network's modules have in common: how they go, be it for a moment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

from torch import nn

Hidden = list[tuple[dict[int, Any], int, Any]]
"""Hooks that were taken off: the dictionary of each, its number there, and itself."""


class OwnHook:
    """A hook of LayerScope's. A copy of the network has none (see `reduce_without_hooks`)."""

    __slots__ = ()

    __name__ = "layerscope_hook"  # hooks are functions, to those who list them
    __torch_unserializable__ = True  # a tensor is saved without it, and nobody is warned

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, str]]:
        """Where a module copies itself by means of its own, a hook that does nothing, and that
        loads without LayerScope: `nullcontext().__exit__` takes any arguments and returns None.
        """
        return getattr, (nullcontext(), "__exit__")


def _is_ours(hook: object) -> bool:
    return isinstance(hook, OwnHook) or isinstance(getattr(hook, "__self__", None), nullcontext)


def reduce_without_hooks(module: nn.Module, protocol: Any) -> Any:
    """`nn.Module.__reduce_ex__` while a network is watched: what pickle and copy take of a module
    is, to the byte, what they take of one that has no hooks of ours.
    """
    return _without_hooks(super(nn.Module, module).__reduce_ex__(protocol))


def _without_hooks(part: Any) -> Any:
    if isinstance(part, tuple):
        return tuple(map(_without_hooks, part))
    if not (isinstance(part, dict) and "_forward_hooks" in part):
        return part
    tables = {
        name: part[name] for name in part if name.startswith(("_forward_hooks", "_forward_pre"))
    }
    ours = {number for table in tables.values() for number, hook in table.items() if _is_ours(hook)}
    others = {
        name: OrderedDict((number, hook) for number, hook in table.items() if number not in ours)
        for name, table in tables.items()
    }
    return {**part, **others} if ours else part


def hide(modules: Iterable[nn.Module]) -> Hidden:
    """Take our hooks off modules, to be put back by `show`; off copies those that do nothing, for
    good.
    """
    hidden: Hidden = []
    for module in modules:
        dictionaries: tuple[dict[int, Any], ...] = module._forward_hooks, module._forward_pre_hooks
        for hooks in dictionaries:
            for number, hook in list(hooks.items()):
                if _is_ours(hook):
                    del hooks[number]
                if isinstance(hook, OwnHook):
                    hidden.append((hooks, number, hook))
    return hidden


def show(hidden: Hidden) -> None:
    """Put hooks back that `hide` has taken off; empties the list."""
    for hooks, number, hook in hidden:
        hooks[number] = hook
    hidden.clear()
