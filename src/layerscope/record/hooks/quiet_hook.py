"""Hooks that never raise into a network, and hooks that only pass on what torch tells them."""

import logging
from collections.abc import Callable
from typing import Any

import torch

from layerscope.record.hooks.own_hook import OwnHook

_function_modes: Callable[[], int] = torch._C._len_torch_function_stack

_log = logging.getLogger("layerscope")


class QuietHook(OwnHook):
    """A hook that looks at something, and never raises: then this step is not seen there.

    Outputs of a class of the user's may raise when they are looked into.
    """

    def __init__(self, hook: Callable[..., None]) -> None:
        self._hook = hook

    def __call__(self, *arguments: Any) -> None:
        """Called by torch; torch.compile leaves it out of its code."""
        if torch.compiler.is_compiling() or torch._C._is_tracing():
            return
        try:
            if _function_modes():  # what is asked of a tensor would go through them
                with torch._C.DisableTorchFunction():
                    self._hook(*arguments)
            else:
                self._hook(*arguments)
        except Exception:
            _log.debug("LayerScope: a network's end was not seen", exc_info=True)


class PassingHook(OwnHook):
    """Calls a function that may hold anything: a copy of the network, or a file, holds none of it.

    Args:
        function: gets what torch gives the hook; what it returns is not used.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __call__(self, *told: Any) -> None:
        """Called by torch."""
        self._function(*told)
