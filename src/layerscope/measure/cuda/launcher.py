"""Launches of a kernel that Triton has compiled."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import triton
from triton.compiler import CompiledKernel

_TAKES_CONSTANTS = tuple(map(int, triton.__version__.split(".")[:2])) >= (3, 4)
"""Whether a compiled kernel is launched with all arguments of its function, constants among them;
before, with the others alone, and then each launch goes the long way."""


class Launcher:
    """Launches one kernel again and again.

    At each launch Triton finds out anew for what types of arguments it is to be compiled, and looks
    whether one of the constants that it uses has changed: 45 us of the host's time, for fifty of
    them. Here a caller's key stands for all that.

    Args:
        kernel: a function under `triton.jit`.
        options: for its compilation, such as num_warps.
    """

    def __init__(self, kernel: Any, **options: Any) -> None:
        self._kernel = kernel
        self._options = options
        self._compiled: dict[Hashable, CompiledKernel] = {}

    def __call__(self, key: Hashable, programs: int, *arguments: Any) -> None:
        """Launch it on the current device's current stream.

        Args:
            key: the same only where types, alignments and constants are the same.
            arguments: all that the kernel takes, in its order.
        """
        grid = (programs, 1, 1)
        compiled = self._compiled.get(key)
        if compiled is not None:
            compiled[grid](*arguments)
            return
        compiled = self._kernel[grid](*arguments, **self._options)
        # Under the interpreter there is none.
        if _TAKES_CONSTANTS and isinstance(compiled, CompiledKernel):
            self._compiled[key] = compiled
