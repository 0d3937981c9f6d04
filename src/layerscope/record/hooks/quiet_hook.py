"""Hooks that never raise into a network: what they fail to see is left out."""

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
