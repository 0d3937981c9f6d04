"""What all hooks of ours have in common: how they are taken off, for good or for a moment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pickle import PicklingError
from typing import Any, ClassVar
from weakref import ref

from torch import nn

Hidden = list[tuple[dict[Any, Any], Any, Any]]
"""Hooks that were taken off: the dictionary of each, its key there, and itself."""


class OwnHook:
    """A hook of LayerScope's. A copy of the network has none (see `Reduction`)."""

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


class OwnAttribute:
    """What python or torch asks a module itself for, put on one watched module.

    Nothing is put on `nn.Module`: networks that nobody watches know nothing of this.
    """

    name: ClassVar[str]

    __slots__ = ("_module",)

    def __init__(self, module: nn.Module) -> None:
        self._module = ref(module)

    @property
    def module(self) -> nn.Module:
        """Whose it is."""
        module = self._module()
        if module is None:
            raise PicklingError("copied while it was watched, by means of its own: copy it later")
        return module

    def __deepcopy__(self, memo: dict[int, Any]) -> OwnAttribute:
        """Where a class copies its modules' attributes itself: that of the copy, if it says so."""
        copied = type(self)(self.module)
        copied._module = ref(memo.get(id(self.module), _Gone()))
        return copied

    @classmethod
    def attach(cls, modules: Iterable[nn.Module]) -> None:
        """Put it on those that have none."""
        for module in modules:
            if cls.name not in module.__dict__:
                module.__dict__[cls.name] = cls(module)

    @classmethod
    def detach(cls, modules: Iterable[nn.Module]) -> None:
        """Take it off."""
        for module in modules:
            if isinstance(module.__dict__.get(cls.name), cls):
                del module.__dict__[cls.name]


class _Gone:
    """To refer to nothing."""


class Reduction(OwnAttribute):
    """What pickle and copy ask for: what they take of the module is, to the byte, what they take of
    one that has no hooks of ours, nor this.
    """

    name = "__reduce_ex__"

    __slots__ = ()

    def __call__(self, protocol: Any) -> Any:
        """What the module's class makes of it, without what is ours."""
        return _without_hooks(type(self.module).__reduce_ex__(self.module, protocol))


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
    kept = {name: each for name, each in part.items() if not isinstance(each, OwnAttribute)}
    return {**kept, **others} if ours else kept


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
        for name, attribute in list(module.__dict__.items()):
            if isinstance(attribute, OwnAttribute):
                del module.__dict__[name]
                hidden.append((module.__dict__, name, attribute))
    return hidden


def show(hidden: Hidden) -> None:
    """Put hooks back that `hide` has taken off; empties the list."""
    for hooks, number, hook in hidden:
        hooks[number] = hook
    hidden.clear()
