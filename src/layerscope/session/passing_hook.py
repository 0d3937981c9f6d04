"""A hook that only passes on what torch tells it."""

from collections.abc import Callable
from typing import Any

from layerscope.record.hooks.own_hook import OwnHook


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
