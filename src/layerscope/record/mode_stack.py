"""A torch function mode, put on and taken off by hand: a `with` block cannot span two hooks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.overrides import TorchFunctionMode

_length: Callable[[], int] = torch._C._len_torch_function_stack
_pop: Callable[[], TorchFunctionMode] = torch.overrides._pop_mode
_push: Callable[[TorchFunctionMode], None] = torch.overrides._push_mode


def put_on(mode: TorchFunctionMode) -> None:
    """Turn a mode on, above those that are."""
    _push(mode)


def take_off(mode: TorchFunctionMode) -> None:
    """Turn a mode off; those that somebody has turned on meanwhile, and left on, stay on."""
    above = []
    while _length():
        top = _pop()
        if top is mode:
            break
        above.append(top)
    for each in reversed(above):
        _push(each)
