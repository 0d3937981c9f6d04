"""What torch.compile has to do with a network, so that nothing of ours is compiled into it."""

import sys
from collections.abc import Callable
from typing import Any

from torch import nn

from layerscope.record.network.parts import parts_of


class CompileStart:
    """Calls a function before torch.compile traces anything, wherever that happens.

    Args:
        tell: what to call, in the thread that compiles.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._handler: Any = None

    def attach(self) -> None:
        """Be told from now on; nothing if that is so, or while nobody has imported the compiler,
        whose import takes seconds: call it again, as `torch._dynamo.reset` has it told no more.
        Some 0.2 us.
        """
        handler = getattr(sys.modules.get("torch._dynamo"), "callback_handler", None)
        if handler is not None and self._on_start not in handler.start_callbacks:
            handler.register_start_callback(self._on_start)
            self._handler = handler

    def detach(self) -> None:
        """Be told no more."""
        handler, self._handler = self._handler, None
        if handler is not None and self._on_start in handler.start_callbacks:
            handler.remove_start_callback(self._on_start)

    def _on_start(self, *about: Any) -> None:
        self._tell()


def is_compiled(network: nn.Module) -> bool:
    """Whether torch.compile would trace hooks into its code."""
    return any(
        type(module).__name__ == "OptimizedModule" or module._compiled_call_impl is not None
        for module in parts_of(network)[0]
    )
