"""Whether a module's forward can be called without anybody noticing: told from its code."""

import dis
import functools
import math
import types
from collections.abc import Iterator
from inspect import getattr_static
from typing import Any

import torch
from torch import nn

_DEEPEST = 3
"""Functions that call functions: what lies deeper is not looked into, and so not called pure."""

_CHANGES = ("STORE_ATTR", "DELETE_ATTR", "STORE_GLOBAL", "DELETE_GLOBAL", "IMPORT_NAME")
_CHANGING_NAMES = ("distributed", "manual_seed", "seed", "save", "load", "compile", "backward")
_BUILTINS = frozenset(
    {abs, bool, float, getattr, hasattr, int, isinstance, len, max, min, pow, range, super, tuple}
)
_CONSTANTS = (int, float, str, tuple, types.NoneType, torch.dtype)


def is_pure(module: nn.Module) -> bool:
    """Whether calling a module's forward does no more than compute, as far as its code shows.

    Its code sets no attribute and imports nothing; and what it calls is torch's, Python's
    arithmetic, or a function of which the same is true. Code that does more is not
    pure, even if it is harmless. It may change its input in place, and its own lists: call a copy,
    with a copy.
    """
    forward = getattr(type(module), "forward", None)
    return isinstance(forward, types.FunctionType) and _only_computes(forward, module, _DEEPEST)


def only_computes(function: types.FunctionType, owner: Any) -> bool:
    """Whether a function of a class's computes and no more, as `is_pure` has it, and calls nothing
    that is not torch's or Python's.
    """
    return _only_computes(function, owner, 1)


def _only_computes(function: types.FunctionType, owner: Any, depth: int) -> bool:
    if depth == 0:
        return False
    given = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for code in _codes(function.__code__):
        for instruction in dis.get_instructions(code):
            name = instruction.argval
            if instruction.opname in _CHANGES:
                return False
            if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
                if name in _CHANGING_NAMES or name.startswith("set_"):
                    return False
                own = getattr_static(owner, name) if _is_its_own(owner, name) else None
                if not _is_harmless(own, owner, depth):
                    return False
            elif instruction.opname == "LOAD_GLOBAL":
                builtin = function.__globals__["__builtins__"]
                builtin = builtin if isinstance(builtin, dict) else vars(builtin)
                value = function.__globals__.get(name, builtin.get(name))
                if not _is_harmless(value, owner, depth):
                    return False
    return all(
        name == "__class__" or _is_harmless(cell.cell_contents, owner, depth)
        for name, cell in given.items()
    )


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _is_its_own(owner: Any, name: str) -> bool:
    """Whether an attribute is the module's or its classes', not one that torch gives all."""
    return name in vars(owner) or any(
        name in vars(kind) for kind in type(owner).__mro__ if not _is_of_torch(kind)
    )


def _is_harmless(value: Any, owner: Any, depth: int) -> bool:
    if isinstance(value, functools.partial):
        return _is_harmless(value.func, owner, depth)
    if isinstance(value, types.MethodType) and _is_autograd_function(value.__self__):
        value = value.__self__
    if isinstance(value, (types.MethodType, staticmethod)):
        value = value.__func__
    if isinstance(value, _CONSTANTS):
        return True
    if isinstance(value, (type, types.BuiltinFunctionType)) and value in _BUILTINS:
        return True
    if isinstance(value, types.ModuleType):
        return value is math or value.__name__.split(".")[0] == "torch"
    if _is_autograd_function(value):
        return _is_harmless(value.forward, owner, depth)
    if _is_of_torch(value):
        return True
    return isinstance(value, types.FunctionType) and _only_computes(value, owner, depth - 1)


def _is_autograd_function(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, torch.autograd.Function)


def _is_of_torch(value: Any) -> bool:
    home = getattr(value, "__module__", None) or type(value).__module__
    return home.split(".")[0] in ("torch", "math")
