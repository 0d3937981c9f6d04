"""Activation functions that are no modules: `F.relu(x)`, `x.softmax(-1)` in somebody's forward.

A `TorchFunctionMode` sees every call of torch while it is on. It is on within the forward passes of
training steps only, and from the second measured step on only in modules whose own code calls such
functions.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any
from weakref import proxy

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from layerscope.record.attention.fast_paths import FAST, FastPaths
from layerscope.record.functions.evaluated_dropouts import EvaluatedDropouts
from layerscope.record.functions.function_mode import FunctionMode, hooks_around, put_on, take_off
from layerscope.record.functions.functions_seen import FunctionsSeen
from layerscope.record.hooks.compile_start import CompileStart
from layerscope.record.hooks.handles import remove_all
from layerscope.record.network.compiled import is_compiled
from layerscope.record.network.parts import parts_of
from layerscope.record.output_hook import is_exporting
from layerscope.record.search import Search

_log = logging.getLogger("layerscope")

_COMPILED = (
    "LayerScope: the network is compiled: functions, attention, residual streams, routers and "
    "gates in its code are not seen"
)

_is_tracing: Callable[[], bool] = torch._C._is_tracing


class Functions:
    """Sees the activation functions that modules of a network call, and has them measured.

    Some steps are searched: there the modules that call functions are found. A call from another
    module is passed over until the next such step. In these, and in others that look at attention
    or the stream, the mode is on from one end of the forward pass to the other: the modules that
    are called from outside have hooks besides, or all modules, to find out which these are.

    About 0.7 us for each call of torch while the mode is on, 4 us for each function beside what
    measuring its output takes, and 3 us for each call of a module that calls some.

    Args:
        seen: is told of each call while the mode is on.

    Attributes:
        evaluated: knows of dropouts that stay on in evaluation.
    """

    def __init__(self, network: nn.Module, seen: FunctionsSeen) -> None:
        self.evaluated = EvaluatedDropouts(network, seen.dropouts)
        self._network = network
        self._seen = seen
        self._state, self._attention, self._routers = seen.state, seen.attention, seen.routers
        self._mode = FunctionMode(seen.see)
        self._has_searched = self._is_attached = False
        self._handles: list[RemovableHandle] = []
        self._outermost: dict[nn.Module, None] = {}
        self._around: list[RemovableHandle] = []  # hooks of these
        self._hooks_all = True
        self._looks_through = False
        me: Functions = proxy(self)  # a circle would keep the network until a garbage collection
        self._fast = FastPaths(network, me)
        self._compile_start = CompileStart(lambda: me._give_way())
        self._gave_way = False
        self._depth = 0
        self._is_paused = False
        self._thread: int | None = None

    def attach(self) -> None:
        """Put the hooks on that turn the mode on and off; does nothing if they are on, or where
        torch.compile would see the mode.
        """
        if self._is_attached or self._gave_way or self._state.is_compiled:
            return
        if is_compiled(self._network):
            _log.info(_COMPILED)
            return
        self._is_attached = True
        self._fast.attach()
        modules = parts_of(self._network)[0] if self._hooks_all else self._seen.callers
        self._handles = self._hooks_of(modules)
        self._look_through()

    def _look_through(self) -> None:
        """Put hooks on the modules that are called from outside, or take them off."""
        remove_all(self._around)
        if self._is_attached and self._looks_through and not self._hooks_all:
            self._around = self._hooks_of(self._outermost)

    def _hooks_of(self, modules: Iterable[nn.Module]) -> list[RemovableHandle]:
        slow = (module for module in modules if not isinstance(module, FAST))
        return hooks_around(slow, self.enter, self.leave)

    def detach(self) -> None:
        """Take the hooks off, and turn the mode off if a forward pass has broken off under it."""
        self._is_attached = False
        remove_all(self._handles)
        remove_all(self._around)
        self._fast.detach()
        self._compile_start.detach()
        self._end_pass()

    def begin(
        self,
        looks: bool,
        search: Search = Search.NONE,
        call: Callable[[Callable[..., Any], Any, Any], Any] | None = None,
    ) -> None:
        """A step begins.

        Args:
            looks: whether to look at attention, a sample of its rows, where some is known.
            search: where to look for functions and attention that are not known yet, then at all
                rows; all modules are searched in the first measured step in any case.
            call: what calls every function of torch in this step, to see them all.
        """
        if self._depth or self._is_paused or self._mode.attend is not None:
            self._end_pass()
        if self._seen.dropouts.any_of_code and self._is_attached and not self._state.is_compiled:
            self.evaluated.attach(self._outermost)
        exact = bool(search)
        if not self._has_searched or (search and not self._outermost):
            search = Search.ALL
        places = self._attention.places or self._routers.places
        through = bool(search) or call is not None or (looks and bool(places))
        self._mode.call = call
        self._mode.attend = self._seen.attend if through else None
        if search:
            self._seen.dropouts.begin()
        if through:
            self._attention.begin(exact)
            self._routers.begin()
        self._state.latest = None
        if self._gave_way:
            self.detach()
        self._seen.searching = bool(search)
        hooks_all = search == Search.ALL
        if hooks_all != self._hooks_all:
            was_attached = self._is_attached
            self.detach()
            self._hooks_all, self._looks_through = hooks_all, through
            if was_attached:
                self.attach()
        elif through != self._looks_through:
            self._looks_through = through
            self._look_through()

    def search_again(self) -> None:
        """The network has changed: the next measured step is searched."""
        self._has_searched = False
        self._outermost.clear()

    # Hooks.

    def looks_into(self, module: nn.Module) -> bool:
        """Whether functions are looked for in a module's own code."""
        return self._seen.searching or self._looks_through or module in self._seen.callers

    def pause(self) -> bool:
        """Turn the mode off within a forward pass; whether it was on."""
        is_on = self._depth > 0 and not self._is_paused and threading.get_ident() == self._thread
        if is_on:
            take_off(self._mode)
            self._is_paused = True
        return is_on

    def resume(self) -> None:
        """Turn the mode on again after `pause`."""
        if self._is_paused:
            self._is_paused = False
            put_on(self._mode)

    def _give_way(self) -> None:
        """torch.compile is about to read a function that a forward calls: the mode would be
        compiled into it. It is off for good, and functions are not seen from now on.
        """
        if self.pause():
            self._depth = 0
            self._gave_way = True
            self._seen.give_up()

    def enter(self, module: nn.Module) -> None:
        """A module's forward begins."""
        state = self._state
        if self._depth == 0:
            if self._gave_way or not state.counts_here or _is_tracing() or is_exporting():
                return
            if state.network is not None and not state.network.training:
                return
            self._has_searched = True
            self._outermost[module] = None
            self._compile_start.attach()
            self._thread = threading.get_ident()
            put_on(self._mode)
        elif threading.get_ident() != self._thread:
            return
        self._depth += 1

    def leave(self, module: nn.Module) -> None:
        """A module's forward has ended, be it by an exception."""
        if self._depth and threading.get_ident() == self._thread:
            self._depth -= 1
            if not self._depth:
                take_off(self._mode)
                self._forget()

    def _end_pass(self) -> None:
        """Ctrl-C ends a forward pass without a word to hooks."""
        if self._depth and threading.get_ident() == self._thread:
            take_off(self._mode)
        self._depth, self._is_paused = 0, False
        self._forget()

    def _forget(self) -> None:
        if self._mode.attend is not None:
            self._attention.forget()
