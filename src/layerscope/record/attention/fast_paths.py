"""Calls of torch's attention that compute in one fused kernel, unless functions are watched."""

from typing import Any, Protocol

from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils.hooks import RemovableHandle

from layerscope.record.hooks.handles import remove_all
from layerscope.record.hooks.stand_aside import needs_gradients

FAST = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
"""Modules that take another path in evaluation mode without gradients, if no torch function mode
is on; its results differ in the last bits."""


class _Watches(Protocol):
    def looks_into(self, module: nn.Module) -> bool: ...
    def pause(self) -> bool: ...
    def resume(self) -> None: ...
    def enter(self, module: nn.Module) -> None: ...
    def leave(self, module: nn.Module) -> None: ...


class FastPaths:
    """Turns the mode off within calls that would take another path because of it.

    These modules have no hooks for functions of their own: hooks would have the same effect. Hooks
    of all modules' calls stand in for them, in a network that has such a module: about a
    microsecond for each call of a module.
    """

    def __init__(self, network: nn.Module, functions: _Watches) -> None:
        self._network = network
        self._functions = functions
        self._modules: set[nn.Module] = set()
        self._running: list[tuple[nn.Module, str]] = []
        self._handles: list[RemovableHandle] = []

    def attach(self) -> None:
        """Look out for such calls; does nothing in a network that has no such module."""
        self._modules = {module for module in self._network.modules() if isinstance(module, FAST)}
        if self._modules and not self._handles:
            self._handles = [
                register_module_forward_pre_hook(self._before),
                register_module_forward_hook(self._after, always_call=True),
            ]

    def detach(self) -> None:
        """Look out no more."""
        remove_all(self._handles)
        self._running.clear()

    def _before(self, module: nn.Module, inputs: Any) -> None:
        if module not in self._modules:
            return
        action = ""
        if not (module.training or needs_gradients(module, inputs)):
            action = "pause" if self._functions.pause() else ""
        elif self._functions.looks_into(module):
            action = "enter"
            self._functions.enter(module)
        self._running.append((module, action))

    def _after(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if module not in self._modules or not self._running:
            return
        _, action = self._running.pop()
        if action == "pause":
            self._functions.resume()
        elif action == "enter":
            self._functions.leave(module)
