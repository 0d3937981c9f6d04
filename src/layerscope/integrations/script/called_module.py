"""The call of a module that goes on, as Python's frames tell of it."""

import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

from torch import nn


def outermost_call(frame: FrameType | None) -> nn.Module | None:
    """The module that a script calls, by a frame and those above it; None if it calls none."""
    called = None
    while frame is not None:
        if frame.f_code is nn.Module._wrapped_call_impl.__code__:
            called = frame.f_locals.get("self")
        frame = frame.f_back
    return called


def run_new_hooks(module: nn.Module, before: set[int], inputs: Any) -> None:
    """Run what was hooked to a module in whose call we are: torch has its list of hooks already."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename != nn.modules.module.__file__ and frame.f_back is not None:
        frame = frame.f_back
    keywords = frame.f_locals.get("kwargs")
    for number, hook in list(module._forward_pre_hooks.items()):
        if number not in before:
            if number in module._forward_pre_hooks_with_kwargs:
                hook(module, inputs, keywords if isinstance(keywords, Mapping) else {})
            else:
                hook(module, inputs)
